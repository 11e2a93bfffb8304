package merge

// A decision is the type that a place has although releases disagree, with the reason.
type decision struct{ is, why string }

// decisions has the places whose types cannot be merged.
var decisions = map[string]decision{}

// kept has the types into which a release has split an older type, with the older name.
// As long as they are the same on the wire, they are one type with the older name, and
// the newer names are aliases. Code that uses the older name still compiles.
var kept = map[string]string{
	"NetdevUserDomainSuffix": "String",
	"NetdevUserGuestForward": "String",
	"NetdevUserHostForward":  "String",
	"PasstParameter":         "String",
	"PasstPortForward":       "String",
	"PasstSearch":            "String",
}

// always has the members that are mandatory although they are optional in some releases, with
// the reason.
var always = map[string]string{
	"BlockDeviceInfo.node-name": "every release names every node; the schema has said so since 10.1",
}

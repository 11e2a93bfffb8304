package merge

// A decision is the type that a place has although releases disagree, with the reason.
type decision struct{ is, why string }

// decisions are the places whose types cannot be one.
var decisions = map[string]decision{}

// kept are the types that a release has made of one that was the same for several places,
// with its name. As long as they are the same on the wire they are one type under the older
// name, and the newer ones are aliases: so what was written with the one compiles.
var kept = map[string]string{
	"NetdevUserDomainSuffix": "String",
	"NetdevUserGuestForward": "String",
	"NetdevUserHostForward":  "String",
	"PasstParameter":         "String",
	"PasstPortForward":       "String",
	"PasstSearch":            "String",
}

// always are the members that are mandatory although some releases call them optional, with
// the reason.
var always = map[string]string{
	"BlockDeviceInfo.node-name": "every release names every node; the schema has said so since 10.1",
}

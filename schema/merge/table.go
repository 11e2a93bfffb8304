package merge

// A decision is the type that a place has although releases disagree, with the reason.
type decision struct{ is, why string }

// decisions are the places whose types cannot be one.
var decisions = map[string]decision{}

// always are the members that are mandatory although some releases call them optional, with
// the reason.
var always = map[string]string{
	"BlockDeviceInfo.node-name": "every release names every node; the schema has said so since 10.1",
}

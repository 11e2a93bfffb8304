package plan

// longReplies are the commands whose replies are long lists, with how long one element
// or the whole is: their elements are decoded without reflection, which takes more
// code. For all lists it would be too much to compile.
var longReplies = map[string]string{
	"query-named-block-nodes": "550 bytes a node of QEMU 11.1, and hosts have hundreds",
	"query-cpu-definitions":   "97 kB in QEMU 11.1",
	"qom-list-types":          "52 kB in QEMU 11.1",
}

// isLong reports whether a command's reply is a long list.
func isLong(c *Command) bool {
	return c.Result != nil && c.Result.Kind == List && longReplies[c.QAPI] != ""
}

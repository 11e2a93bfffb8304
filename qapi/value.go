package qapi

// Value returns what an optional member holds: what p points to, or the zero value if the
// member is absent and p is nil.
//
//	if qapi.Value(info.Inserted.NodeName) == "disk0" {
func Value[T any](p *T) T {
	if p == nil {
		var none T
		return none
	}
	return *p
}

package codec

// Generated code has the version of this package for which it was made, and does not compile
// with a package that is too old or too new for it: see [GenerateAgain] and
// [UpdateGoqapi].
const (
	// Version is raised when generated code needs something new from this package, or from
	// another that only generated code uses, such as qmp/bind.
	Version = 4
	// OldestVersion is the oldest version whose generated code still works; it is raised
	// when something is removed or changed.
	OldestVersion = 4
)

// GenerateAgain is the type in the compiler's error about a constant that overflows, if your
// bindings were generated for a version of this package that is too old: generate them again, with
// the generator of the version of the module that you use.
type GenerateAgain uint

// UpdateGoqapi is the type in the compiler's error about a constant that overflows, if your
// bindings were generated for a version of this package that is newer than the one that you use:
// update the module.
type UpdateGoqapi uint

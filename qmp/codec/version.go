package codec

// Generated code says which version of this package it is made for, and does not compile
// with a package that is too old or too new for it: see [GenerateAgain] and
// [UpdateGoqapi].
const (
	// Version is raised when generated code comes to need something new of this package.
	Version = 2
	// OldestVersion is the oldest version for which code still works; it is raised when
	// something is taken away or changed.
	OldestVersion = 1
)

// GenerateAgain is the type that a constant of bindings overflows, as the compiler then
// says, if they were generated for a version of this package that is too old: run the
// generator of the module's version that you use.
type GenerateAgain uint

// UpdateGoqapi is the type that a constant of bindings overflows if they were generated
// for a version of this package that is newer than the one of the module's version that
// you use: update the module.
type UpdateGoqapi uint

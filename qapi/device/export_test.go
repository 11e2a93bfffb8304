package device

// ReadInto is [Read] into what x points to.
var ReadInto = read

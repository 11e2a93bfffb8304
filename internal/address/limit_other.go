//go:build !unix && !windows

package address

// pathLimit is how many bytes the path of a socket may have elsewhere.
const pathLimit = 107

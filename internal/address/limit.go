//go:build unix || windows

package address

import "syscall"

// pathLimit is how many bytes the path of a socket may have: a zero byte ends it, or
// begins it.
const pathLimit = len(syscall.RawSockaddrUnix{}.Path) - 1

//go:build 386 || s390x

package qmp

// sysConnect has been there since Linux 4.3. Package syscall still goes through
// socketcall, which takes its arguments from memory.
const sysConnect = 362

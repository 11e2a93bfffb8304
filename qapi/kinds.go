package qapi

import "github.com/goqapi/goqapi/internal/refusal"

// IsNotFound reports whether a server refused a command because something that the command
// needs does not exist: a device, a block node, a job, an export, a property, an image file.
// For a command that removes it, this is success.
//
// Servers say so in words, which differ between releases; this holds for all supported
// ones. Their words for rare commands may not be known here: then the function returns
// false. It also returns false for an error that is not a server's refusal, such as that of
// a lost connection.
func IsNotFound(err error) bool { return refusal.Of(err) == refusal.NotFound }

// IsInUse reports whether a server refused a command because something else uses what
// the command needs: a block node of a device or a job, an image that another process
// has locked, a PCI slot, an address. The same command can succeed later. See
// [IsNotFound].
func IsInUse(err error) bool { return refusal.Of(err) == refusal.InUse }

// IsExists reports whether a server refused a command because there is something with
// that id or name already. See [IsNotFound].
func IsExists(err error) bool { return refusal.Of(err) == refusal.Exists }

// IsUnsupported reports whether a server refused a command because it does not know the command, an argument, a
// value or a kind of device, or cannot do it with what it has. Another release may support it. See
// [IsNotFound]. [Capabilities.Supports] reports it before anything is refused.
func IsUnsupported(err error) bool { return refusal.Of(err) == refusal.Unsupported }

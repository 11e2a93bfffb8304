package qmptest

import (
	"context"
	"fmt"
	"testing"

	"github.com/goqapi/goqapi/qapi/qga"
)

// NewAgent returns a fake guest agent. It is a [Server] that speaks as an agent does: it
// does not greet, negotiate or send events; a byte 0xFF makes it forget half a message; and
// it does not reply to commands that have no reply if they succeed. It executes guest-sync,
// guest-sync-delimited, guest-ping, guest-info, and the commands that freeze and thaw file
// systems. [FileSystems] sets which file systems there are, and [WindowsGuest] makes the
// guest a Windows. While file systems are frozen, it refuses the commands that agents
// refuse then. [Server.AgentCommands] names its commands. [Server.PauseGuest] and
// [Server.StopAgent] make it silent.
func NewAgent(opts ...Option) *Server { return New(append([]Option{asAgent}, opts...)...) }

// StartAgent returns a fake guest agent that is closed when the test ends; see [Start] and
// [NewAgent].
func StartAgent(t testing.TB, opts ...Option) *Server {
	t.Helper()
	return Start(t, append([]Option{asAgent}, opts...)...)
}

func asAgent(s *Server) { s.agent = true }

// agentBuiltins returns the commands that every agent has.
func (s *Server) agentBuiltins() map[string]Handler {
	return map[string]Handler{
		"guest-sync":           guestSync,
		"guest-sync-delimited": guestSync,
		"guest-ping":           func(context.Context, *Request) (any, error) { return nil, nil },
		"guest-info":           func(context.Context, *Request) (any, error) { return s.guestInfo(), nil },

		"guest-fsfreeze-freeze":      s.guest.freeze,
		"guest-fsfreeze-freeze-list": s.guest.freeze,
		"guest-fsfreeze-status":      s.guest.status,
		"guest-fsfreeze-thaw":        s.guest.thaw,
	}
}

func guestSync(_ context.Context, req *Request) (any, error) {
	var args qga.GuestSyncArgs
	err := req.Decode(&args)
	return args.ID, err
}

func (s *Server) guestInfo() qga.GuestAgentInfo {
	v := s.version
	info := qga.GuestAgentInfo{Version: fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Micro)}
	for _, name := range s.rel.Commands() {
		info.SupportedCommands = append(info.SupportedCommands, qga.GuestAgentCommandInfo{
			Name: name, Enabled: s.guest.admit(name) == nil, SuccessResponse: s.rel.Command(name).SuccessResponse,
		})
	}
	return info
}

// handshake reports whether a command is one that a connection issues by itself.
func (s *Server) handshake(command string) bool {
	if s.agent {
		return command == "guest-sync" || command == "guest-sync-delimited"
	}
	return command == "qmp_capabilities"
}

// silent reports whether a command has no reply if it succeeds.
func (s *Server) silent(command string) bool {
	def := s.rel.Command(command)
	return s.agent && def != nil && !def.SuccessResponse
}

// resync is the byte that makes an agent forget half a message. An agent also writes it before
// the reply to guest-sync-delimited.
const resync = 0xFF

// Package libvirt connects to QEMUs that libvirt owns, on this host and on others. libvirt
// holds the monitor of each of its QEMUs; commands and events go through libvirt's own
// protocol, of which this package has a small client. It needs no library of libvirt's.
//
//	h, err := libvirt.Dial(ctx, "qemu:///system") // or qemu+ssh://root@host/system, …
//	if err != nil {
//		return err
//	}
//	defer h.Close()
//
//	conn, err := qmp.DialFunc(ctx, h.QMP("vm1"), qmp.WithReconnect(qmp.Reconnect{}))
//	if err != nil {
//		return err
//	}
//	c := qapi.NewClient(conn)
//
// From there on everything works as with a QEMU of one's own: typed calls, events, files,
// jobs, hot-plugging, reconnecting. The guest agent is reached in the same way:
//
//	conn, err := qmp.DialAgentFunc(ctx, h.Agent("vm1"))
//	agent := qga.NewClient(conn)
//
// A program that manages many domains follows the events of all of them in one stream,
// [Host.Events], and needs no connection for each.
//
// The package libvirttls connects to libvirts of other hosts through TLS. Without its option,
// Dial refuses qemu+tls://host/… and qemu://host/….
//
// # What libvirt does with commands
//
// libvirt marks a domain as tainted ("custom-monitor") at the first command through [Host.QMP].
// From then on, libvirt's developers do not support the domain: libvirt does not notice what
// commands change. A dial already sends one, query-version.
//
// A read-only connection to libvirt can pass neither commands nor events. So Dial makes
// connections that can write, and the user needs the rights for that: usually root has them, and the members of
// the group libvirt. Where polkit decides, it can only accept or refuse: nobody is asked for a password.
//
// libvirt does not pass on everything: out-of-band commands ([qmp.WithOOB]) are not
// possible; files ([qmp.Files]) are, one with each command, when libvirt runs on this host and
// is reached by its Unix socket. A command and its reply may each have up to 4 MiB.
// [qmp.WithoutSync] has no effect on an agent, since libvirt synchronises before each command.
// A guest's error has the class GenericError only: libvirt drops the agent's class.
//
// # When a QEMU ends
//
// libvirt loses what a QEMU says last when its connection to the monitor ends with "Connection reset by peer".
// With quit this is frequent on a busy machine: QEMU closes the monitor before it has read the line feed
// that libvirt sends after the command, and libvirt then drops the reply to quit and the event SHUTDOWN. On
// the connection that issued quit, this package replaces what is lost: quit succeeds, and SHUTDOWN comes, with a zero
// Timestamp. Other connections to the domain, and [Host.Events], do not get a SHUTDOWN that libvirt has lost.
//
// The end itself is never lost: connections to the domain end, and Host.Events has
// [LifecycleStopped]. Its reason is [StopFailed] if libvirt has not seen SHUTDOWN, as after a crash.
//
// # Limits
//
// libvirt has a fixed number of workers, and a QEMU that does not answer keeps one of them
// busy, without a time limit. So that such QEMUs do not stop libvirt for everybody, this
// package has at most one command in flight for each monitor and each agent, four on
// each connection to libvirt, and eight for each libvirt, of which at most four are for agents.
// A second connection is made when four are in flight. Further commands wait.
//
// A command that has no reply within the limit of [WithCallTimeout] fails, with an error that
// says whether QEMU may have executed it; [qmp.MayHaveRun] reports the same.
// It counts as in flight until libvirt answers it, so it cannot overtake the next one.
//
// When a connection to libvirt is lost, libvirt goes on with the commands that it has received, and not
// in their order: a command that was in flight, for which [qmp.MayHaveRun] reports true, may be executed
// later, even after commands that are issued on the next connection. None is executed twice.
//
// On a slow network commands take longer and do not fail, but libvirt itself gives up a connection on which one
// message takes more than 30 s.
//
// # What it costs
//
// Measured by make bench, with query-status, QEMU 11.1 and libvirt 9.0, on two processors that were busy with other work, too:
//
//	                                   direct    through libvirt    by ssh and libvirt
//	time of a call, one caller         0.18 ms   2.1 ms             3.0 ms
//	time per call, eight callers       0.21 ms   1.6 ms             2.3 ms
//	against a bare call of libvirt               1.0
//	an idle connection to a domain               11 KiB and 1 goroutine, with qmp.Conn
package libvirt

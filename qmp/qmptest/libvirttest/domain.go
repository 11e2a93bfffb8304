package libvirttest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/internal/virrpc"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// Codes of libvirt's errors.
const (
	codeInternal          = 1
	codeSystem            = 38
	codeNoDomain          = 42
	codeRPC               = 39
	codeAuthFailed        = 45
	codeOperationInvalid  = 55
	codeOperationTimeout  = 68
	codeUnsupported       = 74
	codeAgentUnresponsive = 86
	codeAuthUnavailable   = 94
)

const (
	jobTimeout  = 30 * time.Second // for which a command waits for another of its domain
	syncTimeout = 5 * time.Second  // for which an agent may be silent
)

// A failure is an error of libvirt.
type failure struct {
	code int32
	text string
}

func (f *failure) Error() string { return f.text }

// States of domains, as libvirt numbers them.
const (
	stateRunning = 1
	statePaused  = 3
	stateShutOff = 5
)

// A domain is one run of a domain, from Run to Stop.
type domain struct {
	d         *Daemon
	is        virrpc.Domain
	vm, agent *qmptest.Server
	conn      *monitor      // to vm
	turn      chan struct{} // has a value while a command is executed
	agentTurn chan struct{}

	ctx    context.Context // ends with the domain
	cancel context.CancelFunc
	calls  atomic.Int64

	mu          sync.Mutex
	off         bool
	gotShutdown bool // SHUTDOWN has come
	paused      bool
	hung        chan struct{} // closed when QEMU answers again; nil: it does
	broken      bool          // a client has synchronised with the agent itself: libvirt gets no more replies from it
	toAgent     *qmp.Conn
	toFiles     *qmp.Conn
}

// now returns the domain's present name, id and UUID.
func (m *domain) now() virrpc.Domain {
	m.mu.Lock()
	defer m.mu.Unlock()
	is := m.is
	if m.off {
		is.ID = -1
	}
	return is
}

func (d *Daemon) states() []virrpc.DomainState {
	d.mu.Lock()
	domains := d.domains
	d.mu.Unlock()
	var list []virrpc.DomainState
	for _, m := range domains {
		v := virrpc.DomainState{Domain: m.now(), State: stateRunning}
		m.mu.Lock()
		switch {
		case m.off:
			v.State = stateShutOff
		case m.paused:
			v.State = statePaused
		}
		m.mu.Unlock()
		list = append(list, v)
	}
	return list
}

// event passes on an event of the domain's QEMU.
func (m *domain) event(q qmp.Event) {
	m.mu.Lock()
	switch q.Name {
	case "STOP":
		m.paused = true
	case "RESUME":
		m.paused = false
	case shutdown:
		m.gotShutdown = true
	}
	m.mu.Unlock()
	v := virrpc.Event{Domain: m.now(), Name: q.Name, Seconds: -1, Data: string(q.Data), HasData: q.Data != nil}
	if !q.Timestamp.IsZero() {
		v.Seconds, v.Micros = q.Timestamp.Unix(), uint32(q.Timestamp.Nanosecond()/1000)
	}
	var e virrpc.Encoder
	e.Event(v)
	for _, s := range m.d.clients() {
		s.event(virrpc.QEMU, virrpc.MonitorEvent, e.Buf)
	}
	if change := lifeOf[q.Name]; change != 0 {
		m.d.lifecycle(m.now(), change, 0)
	}
}

// lifeOf has what libvirt reports in addition to an event of QEMU's.
var lifeOf = map[string]int32{"STOP": paused, "RESUME": resumed, shutdown: shuttingDown}

// awaitEnd ends the domain when its QEMU ends.
func (m *domain) awaitEnd() {
	<-m.conn.ended
	if !m.stop() {
		return
	}
	m.mu.Lock()
	reason := int32(failed)
	if m.gotShutdown {
		reason = shutDown
	}
	m.mu.Unlock()
	m.d.lifecycle(m.now(), stopped, reason)
}

// stop ends the domain, and reports whether it ran.
func (m *domain) stop() bool {
	m.mu.Lock()
	was := m.off
	m.off = true
	conns := []*qmp.Conn{m.toAgent, m.toFiles}
	m.mu.Unlock()
	m.cancel()
	if m.conn != nil {
		m.conn.conn.Close()
	}
	for _, c := range conns {
		if c != nil {
			_ = c.Close()
		}
	}
	return !was
}

func (m *domain) hang(on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case on && m.hung == nil:
		m.hung = make(chan struct{})
	case !on && m.hung != nil:
		close(m.hung)
		m.hung = nil
	}
}

// command executes a command of a monitor or an agent.
func (s *session) command(p virrpc.Packet, files []*os.File) ([]byte, error) {
	d, e := virrpc.Decoder{Buf: p.Body}, virrpc.Encoder{}
	is, text := d.Domain(), d.String()
	if err := d.Err(); err != nil {
		return nil, err
	}
	m := s.d.find(is.Name)
	switch {
	case m == nil:
		return nil, &failure{codeNoDomain, "Domain not found"}
	case m.now().ID < 0:
		return nil, &failure{codeOperationInvalid, "Requested operation is not valid: domain is not running"}
	}
	if p.Procedure == virrpc.AgentCommand {
		result, err := m.agentCommand(text)
		e.Optional(true)
		e.String(result)
		return e.Buf, err
	}
	result, err := m.monitorCommand(text, files)
	e.String(result)
	return e.Buf, err
}

// take waits until no other command is executed, and takes the turn.
func (m *domain) take(turn chan struct{}) error {
	timer := time.NewTimer(jobTimeout)
	defer timer.Stop()
	select {
	case turn <- struct{}{}:
		return nil
	case <-m.ctx.Done():
		return errGone
	case <-timer.C:
		return &failure{codeOperationTimeout, "Timed out during operation: cannot acquire state change lock"}
	}
}

var errGone = &failure{codeInternal, "internal error: End of file from qemu monitor"}

func (m *domain) monitorCommand(text string, files []*os.File) (string, error) {
	if err := m.take(m.turn); err != nil {
		return "", err
	}
	defer func() { <-m.turn }()
	m.mu.Lock()
	hung := m.hung
	m.mu.Unlock()
	if hung != nil {
		select {
		case <-hung:
		case <-m.ctx.Done():
			return "", errGone
		}
	}
	request, err := m.withID(text)
	if err != nil {
		return "", err
	}
	var reply []byte
	if len(files) == 0 {
		reply, err = m.conn.execute(request)
	} else {
		reply, err = m.executeWith(files, request)
	}
	switch {
	case err == errReset:
		return "", &failure{codeSystem, "Unable to read from monitor: Connection reset by peer"}
	case err != nil:
		return "", errGone
	}
	return string(reply), nil
}

// executeWith executes a command that has files; they need a connection through a socket.
func (m *domain) executeWith(files []*os.File, request []byte) ([]byte, error) {
	conn, err := m.fileConn()
	if err != nil {
		return nil, err
	}
	return conn.With(qmp.Files(files...)).RoundTrip(m.ctx, request)
}

// withID gives a command an id of libvirt's own.
func (m *domain) withID(text string) ([]byte, error) {
	var object map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &object); err != nil || object == nil {
		name, _ := jsontext.AppendQuote(nil, text) // an error says that it is not valid UTF-8, which is mended
		object = map[string]json.RawMessage{"execute": json.RawMessage(name)}
	}
	if object["id"] != nil {
		return nil, &failure{codeInternal, "internal error: the command has an id"}
	}
	object["id"] = fmt.Appendf(nil, `"libvirt-%d"`, m.calls.Add(1))
	return json.Marshal(object)
}

// fileConn returns a connection on which files can be passed.
func (m *domain) fileConn() (*qmp.Conn, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.toFiles != nil {
		return m.toFiles, nil
	}
	dir, err := os.MkdirTemp("", "libvirttest")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	addr, err := m.vm.Listen(qmp.UnixAddr(filepath.Join(dir, "s")))
	if err != nil {
		return nil, err
	}
	m.toFiles, err = qmp.Dial(m.ctx, addr)
	return m.toFiles, err
}

// agentCommand executes a command of the agent.
func (m *domain) agentCommand(text string) (string, error) {
	if m.agent == nil {
		return "", &failure{codeUnsupported, "argument unsupported: QEMU guest agent is not configured"}
	}
	if err := m.take(m.agentTurn); err != nil {
		return "", err
	}
	defer func() { <-m.agentTurn }()
	conn, err := m.agentConn(text)
	if err == nil {
		err = m.synchronise(conn)
	}
	if err != nil {
		return "", &failure{codeAgentUnresponsive, "Guest agent is not responding: Guest agent not available for now"}
	}
	reply, err := conn.RoundTrip(m.ctx, []byte(text))
	if err != nil {
		return "", &failure{codeAgentUnresponsive, "Guest agent is not responding: Guest agent disappeared while executing command"}
	}
	var answer struct {
		Error *struct{ Desc string } `json:"error"`
	}
	if json.Unmarshal(reply, &answer) == nil && answer.Error != nil {
		return "", &failure{codeInternal, "internal error: unable to execute QEMU agent command: " + answer.Error.Desc}
	}
	return string(reply), nil
}

// synchronise makes sure that the agent answers.
func (m *domain) synchronise(conn *qmp.Conn) error {
	ctx, cancel := context.WithTimeout(m.ctx, syncTimeout)
	defer cancel()
	return conn.Execute(ctx, "guest-ping", nil, nil)
}

// agentConn returns the connection to the agent. A client that synchronises itself breaks it.
func (m *domain) agentConn(text string) (*qmp.Conn, error) {
	var request struct {
		Execute string `json:"execute"`
	}
	_ = json.Unmarshal([]byte(text), &request) // another text is not a synchronisation
	m.mu.Lock()
	m.broken = m.broken || request.Execute == "guest-sync" || request.Execute == "guest-sync-delimited"
	broken, conn := m.broken, m.toAgent
	m.mu.Unlock()
	switch {
	case broken:
		return nil, qmp.ErrNoAgent
	case conn != nil:
		return conn, nil
	}
	conn, err := m.agent.Dial(m.ctx, qmp.WithHandshakeTimeout(syncTimeout))
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	m.toAgent = conn
	m.mu.Unlock()
	return conn, nil
}

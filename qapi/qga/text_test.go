package qga_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/goqapi/goqapi/qapi/qga"
)

func TestSecretsAreNotPrinted(t *testing.T) {
	for _, v := range []any{
		qga.Command{Path: "/bin/x", Args: []string{"hunter2"}, Env: []string{"P=hunter2"}, Stdin: []byte("hunter2")},
		&qga.Command{Path: "/bin/x", Args: []string{"hunter2"}},
		qga.GuestExecArgs{Path: "/bin/x", Arg: []string{"hunter2"}, Env: []string{"P=hunter2"}, InputData: []byte("hunter2")},
		qga.GuestExecStatus{Exited: true, OutData: []byte("hunter2"), ErrData: []byte("hunter2")},
		qga.GuestSetUserPasswordArgs{Username: "u", Password: []byte("hunter2")},
		qga.GuestFileWriteArgs{BufB64: []byte("hunter2")},
		qga.GuestFileRead{BufB64: []byte("hunter2")},
		qga.GuestSSHAddAuthorizedKeysArgs{Username: "u", Keys: []string{"ssh-rsa hunter2"}},
		qga.GuestSSHRemoveAuthorizedKeysArgs{Username: "u", Keys: []string{"ssh-rsa hunter2"}},
		qga.GuestAuthorizedKeys{Keys: []string{"ssh-rsa hunter2"}},
	} {
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
		for _, text := range []string{
			fmt.Sprintf("%v %+v %s", v, v, v), fmt.Sprintf("%#v", v), qga.Text(v), qga.Text([]any{v}), log.String(),
		} {
			for _, secret := range []string{"hunter2", base64.StdEncoding.EncodeToString([]byte("hunter2")), fmt.Sprint([]byte("hunter2"))} {
				assert.NotContains(t, text, secret, "%T", v)
			}
			assert.Contains(t, text, "redacted", "%T", v)
		}
	}
	assert.Equal(t, `qga.Command({"path":"/bin/x","arg":["[redacted]"]})`, fmt.Sprintf("%#v", qga.Command{Path: "/bin/x", Args: []string{"a"}}))
}

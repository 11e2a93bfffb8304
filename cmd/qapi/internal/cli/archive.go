package cli

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"strings"

	"github.com/goqapi/goqapi/internal/printable"
)

// Limits on a release archive, far above what QEMU's have.
const (
	maxArchive     = 4 << 30  // unpacked bytes; QEMU's have 0.9 GB
	maxSchemaFiles = 1000     // QEMU has 80
	maxSchemaText  = 32 << 20 // bytes of all of them; QEMU's have 0.9 MB
)

// download opens the file at an https address. The system's curl fetches it: the HTTP client of
// the standard library would make this program a megabyte larger.
func download(ctx context.Context, address string) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancel(ctx)
	d := &downloaded{address: address, cancel: cancel}
	d.cmd = exec.CommandContext(ctx, "curl", "--silent", "--show-error", "--fail",
		"--location", "--max-redirs", "10", "--proto", "=https", "--", address)
	d.cmd.Stderr = &d.messages
	var err error
	if d.out, err = d.cmd.StdoutPipe(); err == nil {
		err = d.cmd.Start()
	}
	if err != nil {
		cancel()
		if errors.Is(err, exec.ErrNotFound) {
			err = errors.New("there is no program curl on this system: install it, or download the archive and import the file")
		}
		return nil, err
	}
	return d, nil
}

// A downloaded file is read from the output of curl.
type downloaded struct {
	address  string
	cmd      *exec.Cmd
	cancel   context.CancelFunc
	out      io.Reader
	messages bytes.Buffer
	ended    bool
}

// Read ends with an error if curl has failed, even if all that it wrote was read.
func (d *downloaded) Read(p []byte) (int, error) {
	n, err := d.out.Read(p)
	if err == io.EOF && !d.ended {
		d.ended = true
		if d.cmd.Wait() != nil {
			return n, fmt.Errorf("%s: %s", d.address, printable.String(strings.TrimSpace(d.messages.String())))
		}
	}
	return n, err
}

// Close ends curl.
func (d *downloaded) Close() error {
	d.cancel()
	if !d.ended {
		_ = d.cmd.Wait() // it was killed
	}
	return nil
}

// extract reads a release archive, and returns its schema files. It recognises the format
// by the first bytes: a tar file, uncompressed or compressed by xz, gzip or bzip2. It
// writes nothing to disk.
func extract(ctx context.Context, r io.Reader) (fs.FS, error) {
	in := bufio.NewReaderSize(r, 1<<16)
	magic, err := in.Peek(6)
	if err != nil && err != io.EOF {
		return nil, err
	}
	u := &unpacker{ctx: ctx, left: maxArchive, files: memory{}}
	switch {
	case bytes.HasPrefix(magic, []byte("\xfd7zXZ\x00")):
		err = throughXZ(ctx, in, u.untar)
	case bytes.HasPrefix(magic, []byte("\x1f\x8b")):
		var gz *gzip.Reader
		if gz, err = gzip.NewReader(in); err == nil {
			err = u.untar(gz)
		}
	case bytes.HasPrefix(magic, []byte("BZh")):
		err = u.untar(bzip2.NewReader(in))
	default:
		err = u.untar(in)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = errTruncated
	}
	return u.files, err
}

// errTruncated is io.ErrUnexpectedEOF with a clear text.
var errTruncated = errors.New("the archive ends too early")

// throughXZ calls use with what xz unpacks from r. The standard library can't read the
// format, so the system's xz does.
func throughXZ(ctx context.Context, r io.Reader, use func(io.Reader) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := exec.CommandContext(ctx, "xz", "--decompress", "--stdout", "--quiet")
	cmd.Env = append(os.Environ(), "XZ_DEFAULTS=--memlimit-decompress=512MiB") // set in the environment, since other xz programs do not have the option
	cmd.Stdin = r
	var messages bytes.Buffer
	cmd.Stderr = &messages
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return errors.New("the archive is compressed by xz, and there is no program xz on this system: install xz-utils, or unpack the archive and import the folder")
		}
		return err
	}
	err = use(out)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) { // after ErrUnexpectedEOF xz has ended, and may have printed the reason
		cancel()
		_ = cmd.Wait() // it was killed
		return err
	}
	if cmd.Wait() != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		said := strings.TrimSpace(strings.TrimPrefix(messages.String(), "xz: (stdin): "))
		return fmt.Errorf("xz cannot unpack the archive: %s", printable.String(said))
	}
	return err
}

// An unpacker reads the schema files from a tar file.
type unpacker struct {
	ctx   context.Context
	tar   io.Reader
	left  int64 // how many more bytes are allowed
	files memory
	text  int64 // bytes of the schema files
}

// Read reads from the tar file until it is too large, or ctx ends.
func (u *unpacker) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := u.tar.Read(p)
	if u.left -= int64(n); u.left < 0 {
		return 0, fmt.Errorf("the archive has more than %d bytes when it is unpacked", int64(maxArchive))
	}
	return n, err
}

// untar keeps the schema files of a tar file.
func (u *unpacker) untar(r io.Reader) error {
	u.tar = r
	tr := tar.NewReader(u)
	for n := 0; ; n++ {
		h, err := tr.Next()
		if err == io.EOF {
			// Read the rest, to check that it is complete.
			_, err = io.Copy(io.Discard, u)
			return err
		}
		if n == 0 && errors.Is(err, tar.ErrHeader) {
			return errors.New("the file is not a tar archive")
		}
		if err != nil {
			return err
		}
		if name := schemaFile(h.Name); name != "" && h.Typeflag == tar.TypeReg {
			if err := u.keep(name, h.Size, tr); err != nil {
				return err
			}
		}
	}
}

// keep keeps a file.
func (u *unpacker) keep(name string, size int64, r io.Reader) error {
	if u.text += size; u.text > maxSchemaText {
		return fmt.Errorf("the schema files have more than %d bytes; the last one was %s", maxSchemaText, printable.String(name))
	}
	text, err := io.ReadAll(r)
	u.files[name] = text
	if err == nil && len(u.files) > maxSchemaFiles {
		err = fmt.Errorf("there are more than %d schema files", maxSchemaFiles)
	}
	return err
}

// schemaFile returns the name of a schema file below the source tree, given its name in a
// release archive; empty for any other file.
func schemaFile(name string) string {
	name = path.Clean(name)
	if !fs.ValidPath(name) {
		return ""
	}
	_, below, _ := strings.Cut(name, "/")
	for _, name := range []string{name, below} {
		top, _, inside := strings.Cut(name, "/")
		switch {
		case name == "VERSION":
			return name
		case inside && (top == "qapi" || top == "qga") && strings.HasSuffix(name, ".json"):
			return name
		}
	}
	return ""
}

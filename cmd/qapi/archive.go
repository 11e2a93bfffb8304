package main

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
	"net/http"
	"os"
	"os/exec"
	"path"
	"strings"
)

// maxSchemaFile bounds the size of one schema file; the largest has 0.3 MB.
const maxSchemaFile = 16 << 20

func httpClient() *http.Client {
	return &http.Client{CheckRedirect: func(req *http.Request, via []*http.Request) error {
		if req.URL.Scheme != "https" {
			return fmt.Errorf("the server sends us to %s, which is not https", req.URL.Redacted())
		}
		if len(via) > 10 {
			return errors.New("the server sends us on and on")
		}
		return nil
	}}
}

// download opens what is at an https address.
func (t *tool) download(ctx context.Context, address string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	resp, err := t.client.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, fmt.Errorf("%s: the server answers %s", address, resp.Status)
	}
	return resp.Body, nil
}

// extract reads a release archive, and writes its schema files below dir. What
// name is, is told by its first bytes: a tar file, as it is or compressed by
// xz, gzip or bzip2.
func extract(ctx context.Context, r io.Reader, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	in := bufio.NewReaderSize(r, 1<<16)
	magic, err := in.Peek(6)
	if err != nil && err != io.EOF {
		return err
	}
	switch {
	case bytes.HasPrefix(magic, []byte("\xfd7zXZ\x00")):
		return throughXZ(ctx, in, func(r io.Reader) error { return untar(r, root) })
	case bytes.HasPrefix(magic, []byte("\x1f\x8b")):
		gz, err := gzip.NewReader(in)
		if err != nil {
			return truncated(err)
		}
		return untar(gz, root)
	case bytes.HasPrefix(magic, []byte("BZh")):
		return untar(bzip2.NewReader(in), root)
	default:
		return untar(in, root)
	}
}

// throughXZ gives use what xz makes of r. The standard library can't read the
// format, so the system's xz does.
func throughXZ(ctx context.Context, r io.Reader, use func(io.Reader) error) error {
	cmd := exec.CommandContext(ctx, "xz", "--decompress", "--stdout", "--quiet")
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
	if err != nil {
		// Let xz end: it may say why, or else waits for us to read on.
		_, _ = io.Copy(io.Discard, out)
	}
	if werr := cmd.Wait(); werr != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("the archive is damaged: %s", strings.TrimSpace(strings.TrimPrefix(messages.String(), "xz: (stdin): ")))
	}
	return err
}

// untar writes the schema files of an archive below root.
func untar(r io.Reader, root *os.Root) error {
	tr := tar.NewReader(r)
	for n := 0; ; n++ {
		h, err := tr.Next()
		if err == io.EOF {
			// Read what follows, to see that all of it is there.
			_, err = io.Copy(io.Discard, r)
			return truncated(err)
		}
		if n == 0 && errors.Is(err, tar.ErrHeader) {
			return errors.New("this is not a tar archive")
		}
		if err != nil {
			return truncated(err)
		}
		name := schemaFile(h.Name)
		if name == "" || h.Typeflag != tar.TypeReg {
			continue
		}
		if h.Size > maxSchemaFile {
			return fmt.Errorf("the file %s has %d bytes, which is too much for a schema", h.Name, h.Size)
		}
		text, err := io.ReadAll(tr)
		if err != nil {
			return truncated(err)
		}
		if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
			return err
		}
		if err := root.WriteFile(name, text, 0o644); err != nil {
			return err
		}
	}
}

// truncated says in words that an archive ends too early.
func truncated(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the archive ends too early")
	}
	return err
}

// schemaFile is the name of a schema file below the source tree, given its name
// in a release archive; empty for any other file.
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

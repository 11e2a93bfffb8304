package cli

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/pem"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/cmd/qapi/internal/exit"

	"github.com/goqapi/goqapi/schema/qemu"
)

// archive makes a release archive of a release's facts, with other files that must be
// ignored.
func archive(t *testing.T, release, version string) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	add := func(name string, text []byte) {
		require.NoError(t, w.WriteHeader(&tar.Header{Name: "qemu-" + version + "/" + name, Mode: 0o644, Size: int64(len(text))}))
		_, err := w.Write(text)
		require.NoError(t, err)
	}
	require.NoError(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "qemu-" + version + "/", Mode: 0o755}))
	add("VERSION", []byte(version+"\n"))
	add("README.rst", bytes.Repeat([]byte("text\n"), 10_000))
	add("tests/qapi/bad.json", []byte("}"))
	fsys, err := qemu.FS(release)
	require.NoError(t, err)
	require.NoError(t, fs.WalkDir(fsys, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path == "VERSION" {
			return err
		}
		text, err := fs.ReadFile(fsys, path)
		add(path, text)
		return err
	}))
	add("zlast", bytes.Repeat([]byte("text\n"), 10_000))
	require.NoError(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: "qemu-" + version + "/qapi/link.json", Linkname: "/etc/passwd"}))
	require.NoError(t, w.Close())
	return buf.Bytes()
}

func gzipped(t *testing.T, data []byte) []byte {
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	_, err := w.Write(data)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return buf.Bytes()
}

// compressed pipes data through a program.
func compressed(t *testing.T, program string, data []byte) []byte {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("the program %s is not there", program)
	}
	cmd := exec.Command(path, "-1", "--stdout")
	cmd.Stdin = bytes.NewReader(data)
	out, err := cmd.Output()
	require.NoError(t, err)
	return out
}

// requireImported checks that a folder holds the facts of a release.
func requireImported(t *testing.T, dir, release, version string) {
	t.Helper()
	fsys, err := qemu.FS(release)
	require.NoError(t, err)
	n := 0
	require.NoError(t, fs.WalkDir(fsys, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path == "VERSION" || path == devicesFile { // not in the source
			return err
		}
		want, err := fs.ReadFile(fsys, path)
		require.NoError(t, err)
		got, err := os.ReadFile(filepath.Join(dir, path))
		require.NoError(t, err)
		require.Equal(t, string(want), string(got), path)
		n++
		return nil
	}))
	require.Greater(t, n, 40)
	text, err := os.ReadFile(filepath.Join(dir, "VERSION"))
	require.NoError(t, err)
	require.Equal(t, version+"\nfrom the schema files of its source\n", string(text))
}

func TestImportArchive(t *testing.T) {
	plain := archive(t, "11.1", "11.2.0")
	for name, pack := range map[string]func(t *testing.T) []byte{
		"tar":     func(*testing.T) []byte { return plain },
		"tar.gz":  func(t *testing.T) []byte { return gzipped(t, plain) },
		"tar.xz":  func(t *testing.T) []byte { return compressed(t, "xz", plain) },
		"tar.bz2": func(t *testing.T) []byte { return compressed(t, "bzip2", plain) },
	} {
		t.Run(name, func(t *testing.T) {
			data := pack(t)
			file := filepath.Join(t.TempDir(), "qemu")
			require.NoError(t, os.WriteFile(file, data, 0o644))
			out := t.TempDir()
			code, stdout, stderr := run(t, "import", "-out", out, file)
			require.Equal(t, exit.OK, code, stderr)
			require.Contains(t, stdout, "11.2: QMP: 243 commands")
			require.Contains(t, stdout, "Next: read the report above; make generate")
			requireImported(t, filepath.Join(out, "11.2"), "11.1", "11.2.0")
			entries, err := os.ReadDir(out)
			require.NoError(t, err)
			require.Len(t, entries, 1, "nothing else may be left")

			// An archive that ends too early changes nothing.
			for _, size := range []int{len(data) / 2, len(data) - 12, 600, 3} {
				require.NoError(t, os.WriteFile(file, data[:size], 0o644))
				code, _, stderr = run(t, "import", "-out", t.TempDir(), file)
				if name == "tar" && size == len(data)-12 {
					continue // within the zeros at its end: all is there
				}
				require.Equal(t, exit.Failed, code, size)
				require.Regexp(t, "the archive (ends too early|contains no schema)|xz cannot unpack the archive|not a tar archive", stderr)
			}
		})
	}
}

func TestImportAgain(t *testing.T) {
	out := t.TempDir()
	tree := writeFiles(t, map[string]string{
		"VERSION":               "1.0.5\n",
		"qapi/qapi-schema.json": "# Text.\n##\n# @a:\n# More text.\n#\n# Since: 1.0\n##\n{ 'command': 'a' }",
		"qga/qapi-schema.json":  "{ 'command': 'g' }",
	})
	code, stdout, stderr := run(t, "import", "-out", out, "-origin", "made up", tree)
	require.Equal(t, exit.OK, code, stderr)
	require.NotContains(t, stdout, "from QEMU") // nothing to compare with
	text, err := os.ReadFile(filepath.Join(out, "1.0", "qapi", "qapi-schema.json"))
	require.NoError(t, err)
	require.Equal(t, "# The facts of a QAPI schema, written by goqapi. Do not edit.\n\n##\n# @a:\n#\n# Since: 1.0\n##\n{ 'command': 'a' }\n", string(text))

	// Importing the same again changes nothing, not even the source of the facts.
	require.NoError(t, os.WriteFile(filepath.Join(out, "1.0", "stale"), nil, 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(out, "1.0", devicesFile), []byte("said by binaries"), 0o644))
	code, stdout, stderr = run(t, "import", "-out", out, tree)
	require.Equal(t, exit.OK, code, stderr)
	require.Contains(t, stdout, "QMP: from QEMU 1.0 to QEMU 1.0.5\n\nNothing has changed.\n")
	version, err := os.ReadFile(filepath.Join(out, "1.0", "VERSION"))
	require.NoError(t, err)
	require.Equal(t, "1.0.5\nmade up\n", string(version))
	require.NoFileExists(t, filepath.Join(out, "1.0", "stale"))
	devices, err := os.ReadFile(filepath.Join(out, "1.0", devicesFile))
	require.NoError(t, err)
	require.Equal(t, "said by binaries", string(devices))

	// A later one is compared with the newest before it.
	require.NoError(t, os.WriteFile(filepath.Join(tree, "VERSION"), []byte("10.0.0"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(tree, "qga/qapi-schema.json"), []byte("{ 'command': 'h' }"), 0o644))
	code, stdout, stderr = run(t, "import", "-out", out, "-markdown", tree)
	require.Equal(t, exit.OK, code, stderr)
	require.Contains(t, stdout, "## guest agent: from QEMU 1.0 to QEMU 10.0.0\n\n### Breaks Go code (1)\n\n- the command `g` is gone\n")

	// A bad one changes nothing.
	require.NoError(t, os.WriteFile(filepath.Join(tree, "qga/qapi-schema.json"), []byte("}"), 0o644))
	code, _, stderr = run(t, "import", "-out", out, tree)
	require.Equal(t, exit.Failed, code)
	require.Contains(t, stderr, filepath.Join(tree, "qga/qapi-schema.json")+":1:1: a value is expected")
	kept, err := os.ReadFile(filepath.Join(out, "10.0", "qga", "qapi-schema.json"))
	require.NoError(t, err)
	require.Contains(t, string(kept), "'h'")
}

func TestImportErrors(t *testing.T) {
	out := t.TempDir()
	text := filepath.Join(t.TempDir(), "text")
	require.NoError(t, os.WriteFile(text, bytes.Repeat([]byte("no archive\n"), 1000), 0o644))
	noQGA := writeFiles(t, map[string]string{"VERSION": "1.0.5", "qapi/qapi-schema.json": ""})
	noVersion := writeFiles(t, map[string]string{"qapi/qapi-schema.json": "", "qga/qapi-schema.json": ""})
	badVersion := writeFiles(t, map[string]string{"VERSION": "../x", "qapi/qapi-schema.json": "", "qga/qapi-schema.json": ""})
	var empty bytes.Buffer
	w := tar.NewWriter(&empty)
	require.NoError(t, w.WriteHeader(&tar.Header{Name: "qemu/other", Size: 0, Mode: 0o644}))
	require.NoError(t, w.Close())
	noSchema := filepath.Join(t.TempDir(), "empty.tar.gz")
	require.NoError(t, os.WriteFile(noSchema, gzipped(t, empty.Bytes()), 0o644))
	for _, c := range []struct {
		args []string
		err  string
	}{
		{[]string{"-out", "/no/such/folder", noQGA}, "there is no folder /no/such/folder: run qapi in the module's root, or use --out"},
		{[]string{"-out", out, "/no/such/file"}, "import /no/such/file: open /no/such/file: no such file or directory"},
		{[]string{"-out", out, t.TempDir()}, "contains no schema"},
		{[]string{"-out", out, text}, "the file is not a tar archive"},
		{[]string{"-out", out, noSchema}, "the archive contains no schema: neither qapi/qapi-schema.json nor qga/qapi-schema.json"},
		{[]string{"-out", out, noQGA}, "the schema qga/qapi-schema.json is missing"},
		{[]string{"-out", out, noVersion}, "the version is not known: "},
		{[]string{"-out", out, badVersion}, `"../x" is not the version of a release, such as 11.2.0`},
		{[]string{"-out", out, "-release", "../x", noQGA}, `"../x" is not the name of a release, such as 11.2`},
		{[]string{"-out", out, "http://example.com/x"}, "the address must begin with https://"},
	} {
		code, _, stderr := run(t, append([]string{"import"}, c.args...)...)
		require.Equal(t, exit.Failed, code, "%q", c.args)
		require.Contains(t, stderr, c.err, "%q", c.args)
	}
	code, _, stderr := run(t, "import", "-out", out, "-release", "3.1", noVersion)
	require.Equal(t, exit.OK, code, stderr)
	require.FileExists(t, filepath.Join(out, "3.1", "VERSION"))
}

// trust makes curl accept the certificate of a server.
func trust(t *testing.T, srv *httptest.Server) {
	t.Helper()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("the program curl is not there")
	}
	file := filepath.Join(t.TempDir(), "ca")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	require.NoError(t, os.WriteFile(file, text, 0o600))
	t.Setenv("CURL_CA_BUNDLE", file)
	t.Setenv("HOME", t.TempDir()) // without the settings of the user
}

func TestImportAddress(t *testing.T) {
	data := gzipped(t, archive(t, "10.2", "10.2.9"))
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/qemu.tar.gz":
			w.Write(data)
		case "/short":
			w.Header().Set("Content-Length", "1000000")
			w.Write(data[:10_000])
		case "/moved":
			http.Redirect(w, r, "/qemu.tar.gz", http.StatusFound)
		case "/insecure":
			http.Redirect(w, r, plain.URL, http.StatusFound)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		default:
			http.NotFound(w, r)
		}
	}))
	defer srv.Close()
	srv.Config.ErrorLog = nil
	trust(t, srv)
	for path, want := range map[string]string{
		"/qemu.tar.gz": "",
		"/moved":       "",
		"/short":       "/short: curl: (18) ",
		"/insecure":    "/insecure: curl: (1) ", // not https
		"/loop":        "/loop: curl: (47) ",    // too many redirects
		"/nope":        "/nope: curl: (22) ",
	} {
		out := t.TempDir()
		code, _, stderr := run(t, "import", "-out", out, srv.URL+path)
		if want == "" {
			require.Equal(t, exit.OK, code, stderr)
			requireImported(t, filepath.Join(out, "10.2"), "10.2", "10.2.9")
			continue
		}
		require.Equal(t, exit.Failed, code, path)
		require.Contains(t, stderr, want)
	}
}

// TestNoCurl checks the same for curl.
func TestNoCurl(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := download(t.Context(), "https://example.com/x")
	require.ErrorContains(t, err, "install it, or download the archive and import the file")
}

// TestNoXZ checks that the error says what to do on a system without xz.
func TestNoXZ(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	err := throughXZ(t.Context(), bytes.NewReader(nil), func(io.Reader) error { return nil })
	require.ErrorContains(t, err, "install xz-utils, or unpack the archive and import the folder")
}

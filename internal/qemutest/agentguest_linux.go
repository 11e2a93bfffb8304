package qemutest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// AgentGuest makes a Linux that runs a real qemu-ga, from the packages in the folder
// QAPI_GUEST (see CONTRIBUTING.md), and returns the files of its kernel and its initial RAM disk. Without that
// folder the test is skipped.
func AgentGuest(t testing.TB, a Agent) (kernel, initrd string) {
	t.Helper()
	from := os.Getenv("QAPI_GUEST")
	if from == "" {
		t.Skip("no guest: QAPI_GUEST names none")
	}
	root := t.TempDir()
	put := func(to, pattern string) {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) != 1 {
			t.Fatalf("%s: %v, %v", pattern, found, err)
		}
		data, err := os.ReadFile(found[0])
		if err != nil {
			t.Fatal(err)
		}
		to = filepath.Join(root, to)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, data, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	busybox := filepath.Join(from, "bin", "busybox")
	put("bin/busybox", busybox)
	var insmod strings.Builder
	for _, name := range []string{
		"virtio/virtio", "virtio/virtio_ring", "virtio/virtio_pci_modern_dev", "virtio/virtio_pci_legacy_dev", "virtio/virtio_pci", "char/virtio_console",
	} {
		put("m/"+filepath.Base(name), filepath.Join(from, "lib/modules/*/kernel/drivers", name+".ko"))
		fmt.Fprintf(&insmod, "insmod /m/%s\n", filepath.Base(name))
	}
	for to, path := range agentFiles(t, a) {
		put(to, path)
	}
	for _, dir := range []string{"proc", "sys", "dev", "run", "var/run", "tmp"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	init := fmt.Sprintf(agentInit, &insmod)
	if err := os.WriteFile(filepath.Join(root, "init"), []byte(init), 0o755); err != nil {
		t.Fatal(err)
	}
	pack := exec.Command("sh", "-c", fmt.Sprintf("find . | %s cpio -o -H newc", busybox))
	pack.Dir = root
	data, err := pack.Output()
	if err != nil {
		t.Fatalf("cpio: %v", err)
	}
	initrd = filepath.Join(t.TempDir(), "initrd")
	if err := os.WriteFile(initrd, data, 0o644); err != nil {
		t.Fatal(err)
	}
	kernels, err := filepath.Glob(filepath.Join(from, "boot", "vmlinuz-*"))
	if err != nil || len(kernels) != 1 {
		t.Fatalf("QAPI_GUEST: the kernels %v, %v", kernels, err)
	}
	return kernels[0], initrd
}

// agentInit starts the agent, and starts it again when it has ended, unless /tmp/stay exists.
const agentInit = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc p /proc; mount -t sysfs s /sys; mount -t devtmpfs d /dev
%s
while true; do
 for p in /sys/class/virtio-ports/*; do
  [ "$(cat $p/name)" = org.qemu.guest_agent.0 ] && [ ! -e /tmp/stay ] &&
   LD_LIBRARY_PATH=/lib64 /bin/qemu-ga -m virtio-serial -p /dev/${p##*/} -t /run
 done
 sleep 0.2
done
`

// agentFiles returns the program and its libraries, by where they are put.
func agentFiles(t testing.TB, a Agent) map[string]string {
	t.Helper()
	agent := a.Path
	list := exec.Command("ldd", agent)
	if root := filepath.Join(filepath.Dir(filepath.Dir(a.Path)), "root"); isDir(root) { // the lab's: a.Path is a script
		found, err := filepath.Glob(root + "/usr/*bin/qemu-ga")
		if err != nil || len(found) != 1 {
			t.Fatalf("qemu-ga in %s: %v, %v", root, found, err)
		}
		agent = found[0]
		loaders, err := filepath.Glob(root + "/*/*/ld-linux-x86-64.so.2")
		if err != nil || len(loaders) == 0 {
			loaders, _ = filepath.Glob(root + "/usr/lib/*/ld-linux-x86-64.so.2")
		}
		if len(loaders) == 0 {
			t.Fatalf("there is no loader in %s", root)
		}
		libraries := strings.Join([]string{root + "/lib/x86_64-linux-gnu", root + "/usr/lib/x86_64-linux-gnu"}, ":")
		list = exec.Command(loaders[0], "--inhibit-cache", "--library-path", libraries, "--list", agent)
	}
	out, err := list.Output()
	if err != nil {
		t.Fatalf("the libraries of qemu-ga: %v", err)
	}
	files := map[string]string{"bin/qemu-ga": agent}
	for _, path := range regexp.MustCompile(`(/\S+) \(0x`).FindAllSubmatch(bytes.ReplaceAll(out, []byte("\n"), []byte(" ")), -1) {
		files["lib64/"+filepath.Base(string(path[1]))] = string(path[1])
	}
	return files
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

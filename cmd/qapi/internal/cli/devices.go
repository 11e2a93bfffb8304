package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/goqapi/goqapi/cmd/qapi/internal/exit"
	"github.com/goqapi/goqapi/internal/deviceprobe"
	"github.com/goqapi/goqapi/internal/printable"
	"github.com/goqapi/goqapi/internal/regular"
	"github.com/goqapi/goqapi/internal/versions"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/schema/devices"
)

const (
	// devicesFile is the file in a release's folder that lists the devices of its binaries.
	devicesFile = "devices.txt"
	// maxDevices is how many bytes it may have. A file with four targets has 150 kB.
	maxDevices = 16 << 20
)

// devicesCommand writes the devices of QEMU binaries into the folders of their releases.
func (a *app) devicesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "devices QEMU-BINARY...",
		Short: "Ask QEMU binaries for their devices, and write the facts",
		Long: `Starts QEMU binaries, such as qemu-system-x86_64, asks them which devices they have, and
writes the facts to the file devices.txt in the folder of their release: binaries of
several targets go to one file. The devices of these targets are replaced in the file; those
of other targets stay. No text of QEMU's is kept.

An argument can also be a file whose name ends in .jsonl, with what a binary reported on
another host: a line {"version":"11.1.3","target":"s390x"} and then a line for each device.

Packagers may have put devices into packages of their own, as Debian does with qxl
and virtio-gpu-gl: a binary does not list what is not installed.`,
		Args: count(1, -1),
	}
	out := cmd.Flags().String("out", filepath.Join("schema", "qemu"), "the `folder` that holds a folder for each release")
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return a.devices(cmd.Context(), args, *out) }
	return cmd
}

func (a *app) devices(ctx context.Context, args []string, out string) error {
	said := map[string][]*devices.List{}
	for _, what := range args {
		list, report, err := askOrRead(ctx, what)
		if err != nil {
			return err
		}
		a.reportDevices(what, report)
		said[list.Release] = append(said[list.Release], list)
	}
	for _, release := range slices.SortedFunc(maps.Keys(said), versions.Compare) {
		if err := a.writeDevices(filepath.Join(out, release), said[release]); err != nil {
			return err
		}
	}
	return nil
}

// askOrRead asks a binary, or reads recorded answers of one.
func askOrRead(ctx context.Context, what string) (*devices.List, deviceprobe.Report, error) {
	if filepath.Ext(what) != ".jsonl" {
		list, report, err := deviceprobe.Ask(ctx, what)
		if errors.Is(err, qmp.ErrClosed) && ctx.Err() == nil {
			err = exit.With(exit.NoConnection, err) // the QEMU was only asked: it may be killed
		}
		return list, report, err
	}
	file, err := regular.Open(what)
	if err != nil {
		return nil, deviceprobe.Report{}, err
	}
	defer file.Close()
	return deviceprobe.Read(what, file)
}

func (a *app) reportDevices(what string, r deviceprobe.Report) {
	fmt.Fprintf(a.out, "%s: QEMU %s for %s: %d devices, %d properties\n", printable.String(what), r.Version, r.Target, r.Devices, r.Properties)
	for _, left := range r.LeftOut {
		fmt.Fprintf(a.out, "%s: the properties of %s are left out: %s\n", printable.String(what), left.Device, left.Reason)
	}
}

// writeDevices writes the file of a release: what it already has, and the new answers.
func (a *app) writeDevices(dir string, said []*devices.List) error {
	path := filepath.Join(dir, devicesFile)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return fmt.Errorf("there is no folder %s: add the release with \"qapi schema import\" first, or use --out", dir)
	}
	switch text, err := regular.ReadFile(os.DirFS(dir), devicesFile, maxDevices); {
	case err == nil:
		known, err := devices.Parse(path, text)
		if err != nil {
			return err
		}
		said = append([]*devices.List{known}, said...)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	list, err := devices.Join(said...)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := replaceFile(path, list.Format()); err != nil {
		return err
	}
	fmt.Fprintf(a.out, "%s: %d types of %d targets\n", path, len(list.Types), len(list.Binaries))
	return nil
}

// replaceFile writes a file as a whole, or not at all.
func replaceFile(path string, text []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".devices-")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }() // fails after success, which does no harm: the file was renamed
	_, err = tmp.Write(text)
	if e := tmp.Chmod(0o644); err == nil {
		err = e
	}
	if e := tmp.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	return err
}

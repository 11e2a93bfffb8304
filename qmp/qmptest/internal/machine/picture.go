package machine

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/goqapi/goqapi/qapi"
)

// graphics are the devices that have a screen.
var graphics = []string{
	"VGA", "ati-vga", "bochs-display", "cirrus-vga", "isa-cirrus-vga", "isa-vga", "qxl", "qxl-vga", "ramfb", "secondary-vga",
	"virtio-gpu-pci", "virtio-gpu-gl-pci", "virtio-vga", "virtio-vga-gl", "vmware-svga",
}

func (d *device) hasScreen() bool { return slices.Contains(graphics, d.driver) }

// screendump makes a picture of a screen: of the first one, unless a device is named.
func (m *Machine) screendump(args qapi.ScreendumpArgs, _ Request) error {
	switch {
	case args.Device != nil:
		if d := m.device(*args.Device); d == nil || !d.hasScreen() || value(args.Head) != 0 {
			return m.noScreen(*args.Device, value(args.Head))
		}
	case args.Head != nil:
		return generic("'head' must be specified together with 'device'")
	case !slices.ContainsFunc(m.devices, (*device).hasScreen):
		return generic("There is no console to take a screendump from")
	}
	return m.save(args.Filename, valueOr(args.Format, qapi.ImageFormatPpm))
}

// save writes the picture into a file, which may be one that was passed.
func (m *Machine) save(name string, format qapi.ImageFormat) error {
	f, err := m.createFile(name)
	if err != nil {
		return err
	}
	write := writePPM
	if format == qapi.ImageFormatPng {
		write = func(w io.Writer, p *image.RGBA) error { return png.Encode(w, p) }
	}
	if err := errors.Join(write(f, picture()), f.Close()); err != nil {
		return generic("failed to write file '%s': %v", name, err)
	}
	return nil
}

// createFile makes a file, or takes one of the set that /dev/fdset/N names.
func (m *Machine) createFile(name string) (io.WriteCloser, error) {
	number, ok := strings.CutPrefix(name, "/dev/fdset/")
	if !ok {
		f, err := os.Create(name)
		if err != nil {
			return nil, generic("failed to open file '%s': %v", name, errors.Unwrap(err))
		}
		return f, nil
	}
	id, err := strconv.ParseInt(number, 10, 64)
	for _, s := range m.fdsets {
		if err == nil && s.id == id && len(s.files) > 0 {
			return passed{s.files[0].file}, nil
		}
	}
	return nil, generic("failed to open file '%s'", name)
}

// passed is a file that stays open.
type passed struct{ io.Writer }

func (passed) Close() error { return nil }

// The size of a screen before a guest sets another one.
const width, height = 640, 480

// picture returns what each screen shows: a dark ground with a lighter frame.
func picture() *image.RGBA {
	p := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.Draw(p, p.Bounds(), image.NewUniform(color.RGBA{0x80, 0x80, 0x80, 0xff}), image.Point{}, draw.Src)
	draw.Draw(p, p.Bounds().Inset(1), image.Black, image.Point{}, draw.Src)
	return p
}

// writePPM writes a picture as PPM: a line of text, and three bytes for each point.
func writePPM(w io.Writer, p *image.RGBA) error {
	text := fmt.Appendf(nil, "P6\n%d %d\n255\n", p.Rect.Dx(), p.Rect.Dy())
	for i := 0; i < len(p.Pix); i += 4 {
		text = append(text, p.Pix[i:i+3]...)
	}
	_, err := w.Write(text)
	return err
}

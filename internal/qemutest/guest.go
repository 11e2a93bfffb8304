package qemutest

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// Guest makes a boot disk for q35 whose program releases devices as an operating system does:
// memory in slot 0 and processor 1 through the registers of ACPI, and devices behind PCI Express
// root ports in the slots 10 to 17 (hexadecimal) when the button of the slot is pressed. The
// program writes an R to the first serial port when it is ready.
func Guest(t testing.TB) (path string) {
	t.Helper()
	sector := append(bytes.Clone(guest), make([]byte, 510-len(guest))...)
	sector = append(sector, 0x55, 0xaa)
	path = filepath.Join(t.TempDir(), "guest")
	if err := os.WriteFile(path, append(sector, make([]byte, 1<<20)...), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// guest is the boot sector, assembled by GNU as from this:
//
//	start:
//	    cli
//	    xorw %ax, %ax
//	    movw %ax, %ss
//	    movw $0x7c00, %sp
//	    movw $0xcd8, %dx    # processors
//	    outb %al, %dx        # the modern interface
//	    movw $0x3f8, %dx
//	    movb $'R', %al
//	    outb %al, %dx        # ready
//	again:
//	    xorl %eax, %eax        # slot 0
//	    movw $0xa00, %dx    # memory
//	    movb $0x14, %cl
//	    call eject
//	    incl %eax        # processor 1; eject leaves eax
//	    movw $0xcd8, %dx
//	    movb $0xdc, %cl
//	    call eject
//	    movl $0x80008000, %ebx    # root ports: slots 10 to 17 of bus 0
//	ports:
//	    call port
//	    addl $0x800, %ebx
//	    cmpl $0x8000c000, %ebx
//	    jne ports
//	    xorl %ecx, %ecx        # buses that ACPI has, from QEMU 6.1 on
//	buses:
//	    movw $0xcd0, %dx
//	    movl %ecx, %eax
//	    outl %eax, %dx
//	    movb $0xc4, %dl
//	    inl %dx, %eax        # the slots whose devices must be released
//	    movb $0xc8, %dl
//	    outl %eax, %dx
//	    incw %cx
//	    cmpw $16, %cx
//	    jne buses
//	    sti
//	    hlt            # until the timer; QEMU 5.2 waits forever for one that does not halt
//	    jmp again
//	eject:                # what eax selects at dx, if flags at cl say that it must be removed
//	    outl %eax, %dx
//	    pushl %eax
//	    movb %cl, %dl
//	    inb %dx, %al
//	    andb $5, %al
//	    cmpb $5, %al
//	    jne 1f
//	    movb $8, %al
//	    outb %al, %dx
//	1:    popl %eax
//	    ret
//	port:                # answers a button of the slot of a root port at ebx
//	    movb $0x34, %bl
//	    call config
//	    inw %dx, %ax
//	    cmpw $0xffff, %ax
//	    je 4f
//	2:    movb %al, %bl        # the next capability
//	    testb %bl, %bl
//	    jz 4f
//	    call config
//	    inw %dx, %ax
//	    cmpb $0x10, %al
//	    movb %ah, %al
//	    jne 2b
//	    addb $0x18, %bl        # slot control and status
//	    call config
//	    inl %dx, %eax
//	    testl $0x10000, %eax    # was the button pressed?
//	    jz 4f
//	    andw $0x300, %ax
//	    cmpw $0x100, %ax    # is the power indicator on?
//	    movl $0x107c0, %eax    # then power off
//	    je 3f
//	    movl $0x101c0, %eax    # otherwise power on
//	3:    outl %eax, %dx
//	4:    movb $0, %bl
//	    ret
//	config:                # points to the register at ebx
//	    pushl %eax
//	    movl %ebx, %eax
//	    movw $0xcf8, %dx
//	    outl %eax, %dx
//	    movw $0xcfc, %dx
//	    popl %eax
//	    ret
var guest = []byte{
	0xfa, 0x31, 0xc0, 0x8e, 0xd0, 0xbc, 0x00, 0x7c, 0xba, 0xd8, 0x0c, 0xee, 0xba, 0xf8, 0x03, 0xb0,
	0x52, 0xee, 0x66, 0x31, 0xc0, 0xba, 0x00, 0x0a, 0xb1, 0x14, 0xe8, 0x40, 0x00, 0x66, 0x40, 0xba,
	0xd8, 0x0c, 0xb1, 0xdc, 0xe8, 0x36, 0x00, 0x66, 0xbb, 0x00, 0x80, 0x00, 0x80, 0xe8, 0x40, 0x00,
	0x66, 0x81, 0xc3, 0x00, 0x08, 0x00, 0x00, 0x66, 0x81, 0xfb, 0x00, 0xc0, 0x00, 0x80, 0x75, 0xed,
	0x66, 0x31, 0xc9, 0xba, 0xd0, 0x0c, 0x66, 0x89, 0xc8, 0x66, 0xef, 0xb2, 0xc4, 0x66, 0xed, 0xb2,
	0xc8, 0x66, 0xef, 0x41, 0x83, 0xf9, 0x10, 0x75, 0xea, 0xfb, 0xf4, 0xeb, 0xb5, 0x66, 0xef, 0x66,
	0x50, 0x88, 0xca, 0xec, 0x24, 0x05, 0x3c, 0x05, 0x75, 0x03, 0xb0, 0x08, 0xee, 0x66, 0x58, 0xc3,
	0xb3, 0x34, 0xe8, 0x3f, 0x00, 0xed, 0x83, 0xf8, 0xff, 0x74, 0x36, 0x88, 0xc3, 0x84, 0xdb, 0x74,
	0x30, 0xe8, 0x30, 0x00, 0xed, 0x3c, 0x10, 0x88, 0xe0, 0x75, 0xf0, 0x80, 0xc3, 0x18, 0xe8, 0x23,
	0x00, 0x66, 0xed, 0x66, 0xa9, 0x00, 0x00, 0x01, 0x00, 0x74, 0x16, 0x25, 0x00, 0x03, 0x3d, 0x00,
	0x01, 0x66, 0xb8, 0xc0, 0x07, 0x01, 0x00, 0x74, 0x06, 0x66, 0xb8, 0xc0, 0x01, 0x01, 0x00, 0x66,
	0xef, 0xb3, 0x00, 0xc3, 0x66, 0x50, 0x66, 0x89, 0xd8, 0xba, 0xf8, 0x0c, 0x66, 0xef, 0xba, 0xfc,
	0x0c, 0x66, 0x58, 0xc3,
}

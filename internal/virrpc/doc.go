// Package virrpc has the messages that libvirt and its clients exchange, as far as package
// qmp/libvirt and the fake libvirt of its tests use them. The facts are in libvirt's files
// remote_protocol.x and qemu_protocol.x.
package virrpc

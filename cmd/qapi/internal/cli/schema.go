package cli

import "github.com/spf13/cobra"

// whatHelp is part of the help of the commands that take a schema.
const whatHelp = `A schema is given by its root file, by a folder that holds qapi/qapi-schema.json or
qga/qapi-schema.json (such as a QEMU source tree), or by a release that qapi knows, such
as 11.1.`

// schemaCommands makes the commands that work with schemas.
func (a *app) schemaCommands() []*cobra.Command {
	return []*cobra.Command{a.checkCommand(), a.dumpCommand(), a.diffCommand(), a.importCommand()}
}

// schemaCommand returns the parent of the commands that work with schemas.
func (a *app) schemaCommand() *cobra.Command {
	cmd := parent("schema", "Check, dump, compare and import schemas", "Works with QAPI schemas.")
	cmd.AddCommand(a.schemaCommands()...)
	return cmd
}

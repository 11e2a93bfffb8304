package machine

func (m *Machine) exporting(*node, string) bool { return false }

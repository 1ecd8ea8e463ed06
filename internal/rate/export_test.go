package rate

// Windows is how many are remembered.
func (l *Limiter[Key]) Windows() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.windows)
}

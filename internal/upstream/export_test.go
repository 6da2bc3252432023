package upstream

import "time"

// SetClock has indexes go by another clock.
func (m *MLflow) SetClock(now func() time.Time) { m.indexes.now = now }

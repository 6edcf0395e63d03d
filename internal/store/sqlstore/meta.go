package sqlstore

import "context"

// Epoch names this history. It changes only by a restore, for which every server
// is stopped, so it is read once.
func (s *Store) Epoch(ctx context.Context) (string, error) {
	if p := s.epoch.Load(); p != nil {
		return *p, nil
	}
	var v string
	if err := s.reads.row(ctx, "SELECT value FROM meta WHERE name = 'epoch'").Scan(&v); err != nil {
		return "", s.explain("read the epoch", err)
	}
	s.epoch.Store(&v)
	return v, nil
}

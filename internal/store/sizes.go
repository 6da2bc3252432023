package store

import "context"

// sized are the tables whose rows are counted, by what is in them.
var sized = []struct{ kind, table string }{
	{"users", "gw_users"}, {"groups", "gw_groups"}, {"grants", "gw_grants"}, {"patterns", "gw_patterns"}, {"roles", "gw_roles"}, {"tokens", "gw_tokens"},
}

// Sizes tells how many users, groups, permissions and the like there are.
func (db *DB) Sizes(ctx context.Context, tell func(kind string, n int)) error {
	for _, one := range sized {
		n, err := db.read.NewSelect().Table(one.table).Count(ctx)
		if err != nil {
			return db.coded(err, one.kind)
		}
		tell(one.kind, int(n))
	}
	return nil
}

package operate

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/declared"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

// userRow is an account as it is listed.
type userRow struct {
	Username    string `json:"username"`
	DisplayName string `json:"display_name"`
	Admin       bool   `json:"admin"`
	Active      bool   `json:"active"`
	Service     bool   `json:"service"`
	ManagedBy   string `json:"managed_by"`
	CreatedAt   string `json:"created_at"`
}

func (d *desk) users() *cobra.Command {
	create := &cobra.Command{Use: "create USERNAME", Short: "Make an account beforehand, for a person who will sign in, or for a program", Args: cobra.ExactArgs(1), RunE: d.run((*job).createUser)}
	create.Flags().String("display-name", "", "what it is called; without it by its username")
	create.Flags().Bool("admin", false, "it is an administrator's; nobody can sign in to such an account that was made beforehand")
	create.Flags().Bool("service", false, "it is a service account: programs use it by token, and nobody signs in to it")
	admin := &cobra.Command{Use: "admin USERNAME", Short: "Make somebody an administrator, or with --revoke none any more", Args: cobra.ExactArgs(1),
		Long: "Makes somebody an administrator, or with --revoke none any more. Where a provider's groups make administrators, the next\nsign-in says so anew.",
		RunE: d.run(func(j *job, ctx context.Context) error {
			return j.user(ctx, func(v *declared.Value) { v.Admin = !j.is("revoke") })
		})}
	admin.Flags().Bool("revoke", false, "no administrator any more")
	return under("users", "People and service accounts",
		listing(&cobra.Command{Use: "list", Short: "List all accounts", Args: cobra.NoArgs, RunE: d.run((*job).listUsers)}), create, admin,
		&cobra.Command{Use: "activate USERNAME", Short: "Let somebody in again", Args: cobra.ExactArgs(1), RunE: d.run(func(j *job, ctx context.Context) error {
			return j.user(ctx, func(v *declared.Value) { v.Inactive = false })
		})},
		&cobra.Command{Use: "deactivate USERNAME", Short: "Let somebody in no more, and end all sessions and tokens; permissions stay", Args: cobra.ExactArgs(1),
			RunE: d.run(func(j *job, ctx context.Context) error {
				return j.user(ctx, func(v *declared.Value) { v.Inactive = true })
			})},
		&cobra.Command{Use: "delete USERNAME", Short: "Delete an account, with its permissions and tokens", Args: cobra.ExactArgs(1), RunE: d.run((*job).deleteUser)},
	)
}

func (j *job) listUsers(ctx context.Context) error {
	people, err := j.db.Users(ctx, false)
	if err != nil {
		return err
	}
	services, err := j.db.Users(ctx, true)
	if err != nil {
		return err
	}
	var rows []userRow
	for _, u := range append(people, services...) {
		rows = append(rows, userRow{u.Username, u.DisplayName, u.Admin, u.Active, u.Service, u.ManagedBy, stamp(u.CreatedAt)})
	}
	slices.SortFunc(rows, func(a, b userRow) int { return strings.Compare(a.Username, b.Username) })
	return show(j.c, rows, column[userRow]{"USERNAME", func(u userRow) string { return u.Username }}, column[userRow]{"NAME", func(u userRow) string { return u.DisplayName }},
		column[userRow]{"ADMIN", func(u userRow) string { return yes(u.Admin) }}, column[userRow]{"ACTIVE", func(u userRow) string { return yes(u.Active) }},
		column[userRow]{"SERVICE", func(u userRow) string { return yes(u.Service) }}, column[userRow]{"MANAGED BY", func(u userRow) string { return u.ManagedBy }},
		column[userRow]{"CREATED", func(u userRow) string { return u.CreatedAt }})
}

func userKey(name string) declared.Key {
	return declared.Key{What: declared.User, User: directory.Canonical(name)}
}

func (j *job) createUser(ctx context.Context) error {
	k := userKey(j.args[0])
	return j.settle(ctx, k, func(_ declared.Entry, there bool) (*declared.Value, error) {
		if there {
			return nil, errs.New(errs.Conflict, "there is a %s already; users admin, activate and deactivate change it", k)
		}
		return &declared.Value{DisplayName: j.text("display-name"), Admin: j.is("admin"), Service: j.is("service")}, nil
	})
}

// user changes an account that is there. Who is deactivated is out at once.
func (j *job) user(ctx context.Context, change func(*declared.Value)) error {
	k := userKey(j.args[0])
	var inactive bool
	err := j.settle(ctx, k, func(before declared.Entry, there bool) (*declared.Value, error) {
		if !there {
			return nil, noUser(k.User)
		}
		change(&before.Value)
		inactive = before.Inactive
		return &before.Value, nil
	})
	if err != nil || !inactive {
		return err
	}
	user, err := j.db.User(ctx, k.User)
	if err != nil {
		return err
	}
	return j.ended(ctx, []int64{user.ID})
}

func noUser(name string) error {
	return errs.New(errs.NotFound, "there is no user %s; users list says who there is", name)
}

// named finds the user that an argument names.
func (j *job) named(ctx context.Context, name string) (directory.User, error) {
	user, err := j.db.User(ctx, directory.Canonical(name))
	if errs.Is(err, errs.NotFound) {
		err = noUser(name)
	}
	return user, err
}

func (j *job) deleteUser(ctx context.Context) error {
	user, err := j.named(ctx, j.args[0])
	if err != nil {
		return err
	}
	if err := j.settle(ctx, userKey(user.Username), func(declared.Entry, bool) (*declared.Value, error) { return nil, nil }); err != nil {
		return err
	}
	return j.ended(ctx, []int64{user.ID})
}

// groupRow is a group as it is listed.
type groupRow struct {
	Name    string `json:"name"`
	Members int    `json:"members"`
}

func (d *desk) groups() *cobra.Command {
	return under("groups", "Groups, and who is in them by hand",
		listing(&cobra.Command{Use: "list [GROUP]", Short: "List all groups, or the members of one", Args: cobra.MaximumNArgs(1), RunE: d.run((*job).listGroups)}),
		&cobra.Command{Use: "create GROUP", Short: "Make a group", Args: cobra.ExactArgs(1), RunE: d.run(func(j *job, ctx context.Context) error {
			k := declared.Key{What: declared.Group, Group: j.args[0]}
			return j.settle(ctx, k, func(_ declared.Entry, there bool) (*declared.Value, error) {
				if there {
					return nil, errs.New(errs.Conflict, "there is a %s already", k)
				}
				return &declared.Value{}, nil
			})
		})},
		&cobra.Command{Use: "delete GROUP", Short: "Delete a group, with its permissions; a provider that names it makes it anew, without them", Args: cobra.ExactArgs(1),
			RunE: d.run(func(j *job, ctx context.Context) error {
				return j.settle(ctx, declared.Key{What: declared.Group, Group: j.args[0]}, func(declared.Entry, bool) (*declared.Value, error) { return nil, nil })
			})},
		&cobra.Command{Use: "add GROUP USERNAME...", Short: "Put users into a group", Args: cobra.MinimumNArgs(2), RunE: d.run(func(j *job, ctx context.Context) error {
			return j.members(ctx, &declared.Value{})
		})},
		&cobra.Command{Use: "remove GROUP USERNAME...", Short: "Take users out of a group, who are in it by hand", Args: cobra.MinimumNArgs(2),
			RunE: d.run(func(j *job, ctx context.Context) error { return j.members(ctx, nil) })},
	)
}

// members puts users into a group, or takes them out: all of them, or none. Who is so already stays so.
func (j *job) members(ctx context.Context, to *declared.Value) error {
	var keys []declared.Key
	for _, name := range j.args[1:] {
		k := declared.Key{What: declared.Member, Group: j.args[0], User: directory.Canonical(name)}
		if !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	return j.settleAll(ctx, keys, func(declared.Entry, bool) (*declared.Value, error) { return to, nil })
}

func (j *job) listGroups(ctx context.Context) error {
	if len(j.args) == 1 {
		return j.listMembers(ctx)
	}
	groups, err := j.db.Groups(ctx)
	var rows []groupRow
	for _, g := range groups {
		rows = append(rows, groupRow{g.Name, g.Members})
	}
	if err != nil {
		return err
	}
	return show(j.c, rows, column[groupRow]{"GROUP", func(g groupRow) string { return g.Name }}, column[groupRow]{"MEMBERS", func(g groupRow) string { return count(g.Members) }})
}

// memberRow is somebody in a group.
type memberRow struct {
	Username string `json:"username"`
	ByHand   bool   `json:"by_hand"`
}

func (j *job) listMembers(ctx context.Context) error {
	users, err := j.db.GroupMembers(ctx, j.args[0])
	if err != nil {
		return err
	}
	all, err := j.all(ctx)
	var rows []memberRow
	for _, u := range users {
		_, byHand := all[declared.Key{What: declared.Member, Group: j.args[0], User: u.Username}]
		rows = append(rows, memberRow{u.Username, byHand})
	}
	if err != nil {
		return err
	}
	return show(j.c, rows, column[memberRow]{"USERNAME", func(m memberRow) string { return m.Username }}, column[memberRow]{"BY HAND", func(m memberRow) string { return yes(m.ByHand) }})
}

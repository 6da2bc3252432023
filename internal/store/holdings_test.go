package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
)

func TestHoldingsInPages(t *testing.T) {
	db := openTest(t)
	login(t, db, "s", "ann", "red")
	login(t, db, "s2", "bob", "red")
	ann, red := Principal{User: "ann"}, Principal{Group: "red"}
	for _, resource := range []string{"100%", "100x", "A_b", "zeta", "Ärzte"} {
		must(t, db.CreateGrant(t.Context(), ann, kind.RegisteredModel, resource, kind.Read, nil))
	}
	over := time.Now().Add(-time.Hour)
	must(t, db.CreateGrant(t.Context(), ann, kind.RegisteredModel, "over", kind.Manage, &over))
	must(t, db.CreateGrant(t.Context(), Principal{User: "bob"}, kind.RegisteredModel, "zeta", kind.Edit, nil))
	must(t, db.CreateGrant(t.Context(), red, kind.RegisteredModel, "zeta", kind.Use, nil))
	must(t, db.CreateGrant(t.Context(), ann, kind.Experiment, "7", kind.Use, nil))
	must(t, db.CreatePattern(t.Context(), ann, authz.Grant{Kind: kind.Experiment, Pattern: "team-a/.*", Priority: 5, Level: kind.Edit}))

	for name, c := range map[string]struct {
		q     HoldingsQuery
		want  []string
		total int
	}{
		"all that a user holds itself": {HoldingsQuery{Holder: ann, Limit: 10}, []string{"ann experiment ~team-a/.* EDIT 5", "ann experiment 7 USE 0", "ann registered_model 100% READ 0", "ann registered_model 100x READ 0", "ann registered_model A_b READ 0", "ann registered_model zeta READ 0", "ann registered_model Ärzte READ 0"}, 7},
		"a page of it":                 {HoldingsQuery{Holder: ann, Limit: 2, Offset: 2}, []string{"ann registered_model 100% READ 0", "ann registered_model 100x READ 0"}, 7},
		"past the end":                 {HoldingsQuery{Holder: ann, Limit: 2, Offset: 9}, nil, 7},
		"one kind":                     {HoldingsQuery{Holder: ann, Kind: kind.Experiment, Limit: 10}, []string{"ann experiment ~team-a/.* EDIT 5", "ann experiment 7 USE 0"}, 2},
		"a search in another case":     {HoldingsQuery{Holder: ann, Search: "a_B", Limit: 10}, []string{"ann registered_model A_b READ 0"}, 1},
		"signs of LIKE are text":       {HoldingsQuery{Holder: ann, Search: "0%", Limit: 10}, []string{"ann registered_model 100% READ 0"}, 1},
		"a search beyond ASCII":        {HoldingsQuery{Holder: ann, Search: "Ärz", Limit: 10}, []string{"ann registered_model Ärzte READ 0"}, 1},
		"what others find too":         {HoldingsQuery{Holder: ann, Search: "zet", Named: []string{"7", "8"}, Limit: 10}, []string{"ann experiment 7 USE 0", "ann registered_model zeta READ 0"}, 2},
		"attack: what others hold":     {HoldingsQuery{Holder: red, Search: "none", Named: []string{"7", "zeta"}, Limit: 10}, nil, 0},
		"prompts, kept with models":    {HoldingsQuery{Holder: ann, Kind: kind.Prompt, Search: "zeta", Limit: 10}, []string{"ann registered_model zeta READ 0"}, 1},
		"a search of patterns":         {HoldingsQuery{Holder: ann, Search: "/.*", Limit: 10}, []string{"ann experiment ~team-a/.* EDIT 5"}, 1},
		"a group's":                    {HoldingsQuery{Holder: red, Limit: 10}, []string{"red registered_model zeta USE 0"}, 1},
		"who holds a resource":         {HoldingsQuery{Kind: kind.RegisteredModel, Resource: "zeta", Limit: 10}, []string{"ann registered_model zeta READ 0", "bob registered_model zeta EDIT 0", "red registered_model zeta USE 0"}, 3},
		"who of a name":                {HoldingsQuery{Kind: kind.RegisteredModel, Resource: "zeta", Search: "OB", Limit: 10}, []string{"bob registered_model zeta EDIT 0"}, 1},
		"a prompt is kept with models": {HoldingsQuery{Kind: kind.Prompt, Resource: "A_b", Limit: 10}, []string{"ann registered_model A_b READ 0"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			found, total, err := db.Holdings(t.Context(), c.q)
			must(t, err)
			var got []string
			for _, h := range found {
				g := h.Grant
				on := g.Resource
				if g.Pattern != "" {
					on = "~" + g.Pattern
				}
				got = append(got, fmt.Sprint(h.Holder.User, h.Holder.Group, " ", g.Kind, " ", on, " ", g.Level, " ", g.Priority))
			}
			if diff := cmp.Diff(c.want, got); diff != "" || total != c.total {
				t.Errorf("%d of %d\n%s", total, c.total, diff)
			}
		})
	}
	if _, _, err := db.Holdings(t.Context(), HoldingsQuery{Holder: Principal{User: "nobody"}, Limit: 1}); !errs.Is(err, errs.NotFound) {
		t.Errorf("of a user who is not there: %v", err)
	}
}

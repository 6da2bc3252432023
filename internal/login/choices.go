package login

// Choice is a provider as people choose it.
type Choice struct {
	Provider
	ID          string
	Type        string
	DisplayName string
	RedirectURI string // empty: computed from the origin and Callback
	Callback    string // the page that the provider's answer comes to
}

// Choices are all providers at which people sign in. No two of them answer for identities of one name.
type Choices []Choice

// chosen gives the provider of an id; no id is the one provider, where there is one alone.
func (all Choices) chosen(id string) (Choice, bool) {
	if id == "" && len(all) == 1 {
		return all[0], true
	}
	for _, c := range all {
		if c.ID == id {
			return c, true
		}
	}
	return Choice{}, false
}

// of gives the provider of which identities have a name.
func (all Choices) of(name string) (Choice, bool) {
	for _, c := range all {
		if c.Names(name) {
			return c, true
		}
	}
	return Choice{}, false
}

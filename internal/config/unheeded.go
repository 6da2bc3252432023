package config

import (
	"slices"
	"strings"
)

// elsewhere are the settings of the Python plugin 11.0.2 that mean nothing here. Who brings a working .env must hear of it: some
// of them let fewer people in.
var elsewhere = []string{
	"SESSION_TOKEN_ENCRYPTION_KEY", "SAML_LOGIN_BINDING", "MANAGED_BY_ENFORCEMENT", "PERMISSION_CACHE_TTL_SECONDS",
	"PERMISSION_CACHE_MAX_SIZE",
	"OIDC_GEN_AI_GATEWAY_ENABLED", "WORKSPACE_CACHE_MAX_SIZE",
	"WORKSPACE_CACHE_TTL_SECONDS", "CACHE_BACKEND", "CACHE_REDIS_URL", "CACHE_KEY_PREFIX",
	"OIDC_WORKSPACE_CLAIM_NAME",
	"OIDC_WORKSPACE_DETECTION_PLUGIN", "OIDC_WORKSPACE_DEFAULT_PERMISSION", "AUDIT_LOG_ENABLED", "AUDIT_LOG_LEVEL", "ENABLE_API_DOCS",
	"SCIM_TOKEN_ROTATION_OVERLAP_SECONDS", "SCIM_RATE_LIMIT_PER_MINUTE", "SCIM_AUTH_FAILURE_LIMIT_PER_MINUTE",
	"SCIM_ACTIVITY_RETENTION_DAYS", "SCIM_ACTIVITY_HEALTHY_WINDOW_SECONDS", "ORPHAN_FALLBACK_PRINCIPAL", "USER_RETENTION_DAYS",
}

// prefixes are the beginnings of the names that only settings of ours, and slips of the pen, have.
var prefixes = []string{"OIDC_", "SESSION_", "REDIS_"}

// Unheeded gives the names that are set, in the environment or in .env, and mean nothing to this version.
func (c *Config) Unheeded() []string { return c.unheeded }

// unheeded finds them; secretsOf are the names from which providers took their secrets.
func unheeded(file map[string]string, getenv func(string) (string, bool), secretsOf []string) []string {
	var names []string
	for _, name := range elsewhere {
		if value, ok := getenv(name); ok && value != "" || file[name] != "" {
			names = append(names, name)
		}
	}
	for name, value := range file {
		known := slices.ContainsFunc(options, func(o Option) bool { return o.Name == name }) || slices.Contains(names, name) || slices.Contains(secretsOf, name)
		if value != "" && !known && slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) }) {
			names = append(names, name)
		}
	}
	return names
}

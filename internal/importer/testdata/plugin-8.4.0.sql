-- What test/predecessors/plugin.py has made with the Python plugin 8.4.0.
-- token of ann: mlf_e3a9dbbc_SldCIOA262779zr5IyQ0vmT19ww1UX0aVqu2BG-EKEE
-- token of job: mlf_0e710597_nGKJ5pHVBOmSM-5oAocOWMkjOw3tH8eCez_CwvwPP8c
BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('a7b8c9d0e1f2');
CREATE TABLE auth_sessions (
	id INTEGER NOT NULL, 
	session_id VARCHAR(255) NOT NULL, 
	user_id INTEGER NOT NULL, 
	provider_id VARCHAR(255), 
	created_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL, 
	last_seen_at DATETIME, 
	expires_at DATETIME NOT NULL, 
	revoked_at DATETIME, 
	encrypted_tokens TEXT, 
	PRIMARY KEY (id), 
	CONSTRAINT fk_auth_sessions_user_id FOREIGN KEY(user_id) REFERENCES users (id)
);
CREATE TABLE auth_state (
	id INTEGER NOT NULL, 
	state VARCHAR(255) NOT NULL, 
	nonce VARCHAR(255), 
	code_verifier VARCHAR(255), 
	provider_id VARCHAR(255), 
	relay_state TEXT, 
	created_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL, 
	expires_at DATETIME NOT NULL, binding_hash VARCHAR(64), 
	PRIMARY KEY (id)
);
CREATE TABLE experiment_group_permissions (
	id INTEGER NOT NULL, 
	experiment_id VARCHAR(255) NOT NULL, 
	group_id INTEGER NOT NULL, 
	permission VARCHAR(255), 
	PRIMARY KEY (id), 
	CONSTRAINT fk_group_id_experiment_group_permissions FOREIGN KEY(group_id) REFERENCES groups (id), 
	CONSTRAINT unique_experiment_group UNIQUE (experiment_id, group_id)
);
INSERT INTO "experiment_group_permissions" VALUES(1,'2',1,'READ');
INSERT INTO "experiment_group_permissions" VALUES(2,'3',2,'MANAGE');
CREATE TABLE experiment_group_regex_permissions (
	id INTEGER NOT NULL, 
	regex VARCHAR(255) NOT NULL, 
	priority INTEGER NOT NULL, 
	group_id INTEGER NOT NULL, 
	permission VARCHAR(255), 
	PRIMARY KEY (id), 
	CONSTRAINT fk_group_id_experiment_group_regex_permissions FOREIGN KEY(group_id) REFERENCES groups (id), 
	CONSTRAINT unique_experiment_group_regex UNIQUE (regex, group_id)
);
INSERT INTO "experiment_group_regex_permissions" VALUES(1,'\w+-x',5,2,'EDIT');
CREATE TABLE experiment_permissions (
	id INTEGER NOT NULL, 
	experiment_id VARCHAR(255) NOT NULL, 
	user_id INTEGER NOT NULL, 
	permission VARCHAR(255), 
	PRIMARY KEY (id), 
	CONSTRAINT fk_user_id_experiment_permissions FOREIGN KEY(user_id) REFERENCES users (id), 
	CONSTRAINT unique_experiment_user UNIQUE (experiment_id, user_id)
);
INSERT INTO "experiment_permissions" VALUES(1,'1',1,'EDIT');
INSERT INTO "experiment_permissions" VALUES(2,'4',1,'NO_PERMISSIONS');
INSERT INTO "experiment_permissions" VALUES(3,'5',1,NULL);
INSERT INTO "experiment_permissions" VALUES(4,'6',1,'OWNER');
CREATE TABLE experiment_regex_permissions (
	id INTEGER NOT NULL, 
	regex VARCHAR(255) NOT NULL, 
	priority INTEGER NOT NULL, 
	user_id INTEGER NOT NULL, 
	permission VARCHAR(255), 
	PRIMARY KEY (id), 
	CONSTRAINT fk_user_id_experiment_regex_permissions FOREIGN KEY(user_id) REFERENCES users (id), 
	CONSTRAINT unique_experiment_user_regex UNIQUE (regex, user_id)
);
INSERT INTO "experiment_regex_permissions" VALUES(1,'^ann-.*',10,1,'MANAGE');
INSERT INTO "experiment_regex_permissions" VALUES(2,'^(?!secret).*',20,1,'READ');
CREATE TABLE gateway_endpoint_group_permissions (
	id INTEGER NOT NULL, 
	endpoint_id VARCHAR(255) NOT NULL, 
	group_id INTEGER NOT NULL, 
	permission VARCHAR(255), 
	PRIMARY KEY (id), 
	CONSTRAINT fk_gateway_endpoint_group_perm_group_id FOREIGN KEY(group_id) REFERENCES groups (id), 
	CONSTRAINT unique_endpoint_group UNIQUE (endpoint_id, group_id)
);
CREATE TABLE gateway_endpoint_group_regex_permissions (
	id INTEGER NOT NULL, 
	regex VARCHAR(255) NOT NULL, 
	priority INTEGER NOT NULL, 
	group_id INTEGER NOT NULL, 
	permission VARCHAR(255), 
	PRIMARY KEY (id), 
	CONSTRAINT fk_gateway_endpoint_group_regex_perm_group_id FOREIGN KEY(group_id) REFERENCES groups (id), 
	CONSTRAINT unique_endpoint_group_regex UNIQUE (regex, group_id)
);
CREATE TABLE gateway_endpoint_permissions (
	id INTEGER NOT NULL, 
	endpoint_id VARCHAR(255) NOT NULL, 
	user_id INTEGER NOT NULL, 
	permission VARCHAR(255), 
	PRIMARY KEY (id), 
	CONSTRAINT fk_gateway_endpoint_perm_user_id FOREIGN KEY(user_id) REFERENCES users (id), 
	CONSTRAINT unique_endpoint_user UNIQUE (endpoint_id, user_id)
);
INSERT INTO "gateway_endpoint_permissions" VALUES(1,'chat',1,'USE');
CREATE TABLE gateway_endpoint_regex_permissions (
	id INTEGER NOT NULL, 
	regex VARCHAR(255) NOT NULL, 
	priority INTEGER NOT NULL, 
	user_id INTEGER NOT NULL, 
	permission VARCHAR(255), 
	PRIMARY KEY (id), 
	CONSTRAINT fk_gateway_endpoint_regex_perm_user_id FOREIGN KEY(user_id) REFERENCES users (id), 
	CONSTRAINT unique_endpoint_user_regex UNIQUE (regex, user_id)
);
CREATE TABLE gateway_model_definition_group_permissions (
	id INTEGER NOT NULL, 
	model_definition_id VARCHAR(255) NOT NULL, 
	group_id INTEGER NOT NULL, 
	permission VARCHAR(255), 
	PRIMARY KEY (id), 
	CONSTRAINT fk_gateway_model_def_group_perm_group_id FOREIGN KEY(group_id) REFERENCES groups (id), 
	CONSTRAINT unique_model_def_group UNIQUE (model_definition_id, group_id)
);
CREATE TABLE gateway_model_definition_group_regex_permissions (
	id INTEGER NOT NULL, 
	regex VARCHAR(255) NOT NULL, 
	priority INTEGER NOT NULL, 
	group_id INTEGER NOT NULL, 
	permission VARCHAR(255), 
	PRIMARY KEY (id), 
	CONSTRAINT fk_gateway_model_def_group_regex_perm_group_id FOREIGN KEY(group_id) REFERENCES groups (id), 
	CONSTRAINT unique_model_def_group_regex UNIQUE (regex, group_id)
);
CREATE TABLE gateway_model_definition_permissions (
	id INTEGER NOT NULL, 
	model_definition_id VARCHAR(255) NOT NULL, 
	user_id INTEGER NOT NULL, 
	permission VARCHAR(255), 
	PRIMARY KEY (id), 
	CONSTRAINT fk_gateway_model_def_perm_user_id FOREIGN KEY(user_id) REFERENCES users (id), 
	CONSTRAINT unique_model_def_user UNIQUE (model_definition_id, user_id)
);
CREATE TABLE gateway_model_definition_regex_permissions (
	id INTEGER NOT NULL, 
	regex VARCHAR(255) NOT NULL, 
	priority INTEGER NOT NULL, 
	user_id INTEGER NOT NULL, 
	permission VARCHAR(255), 
	PRIMARY KEY (id), 
	CONSTRAINT fk_gateway_model_def_regex_perm_user_id FOREIGN KEY(user_id) REFERENCES users (id), 
	CONSTRAINT unique_model_def_user_regex UNIQUE (regex, user_id)
);
INSERT INTO "gateway_model_definition_regex_permissions" VALUES(1,'^m',5,1,'USE');
CREATE TABLE gateway_secret_group_permissions (
	id INTEGER NOT NULL, 
	secret_id VARCHAR(255) NOT NULL, 
	group_id INTEGER NOT NULL, 
	permission VARCHAR(255), 
	PRIMARY KEY (id), 
	CONSTRAINT fk_gateway_secret_group_perm_group_id FOREIGN KEY(group_id) REFERENCES groups (id), 
	CONSTRAINT unique_secret_group UNIQUE (secret_id, group_id)
);
INSERT INTO "gateway_secret_group_permissions" VALUES(1,'openai',1,'READ');
CREATE TABLE gateway_secret_group_regex_permissions (
	id INTEGER NOT NULL, 
	regex VARCHAR(255) NOT NULL, 
	priority INTEGER NOT NULL, 
	group_id INTEGER NOT NULL, 
	permission VARCHAR(255), 
	PRIMARY KEY (id), 
	CONSTRAINT fk_gateway_secret_group_regex_perm_group_id FOREIGN KEY(group_id) REFERENCES groups (id), 
	CONSTRAINT unique_secret_group_regex UNIQUE (regex, group_id)
);
CREATE TABLE gateway_secret_permissions (
	id INTEGER NOT NULL, 
	secret_id VARCHAR(255) NOT NULL, 
	user_id INTEGER NOT NULL, 
	permission VARCHAR(255), 
	PRIMARY KEY (id), 
	CONSTRAINT fk_gateway_secret_perm_user_id FOREIGN KEY(user_id) REFERENCES users (id), 
	CONSTRAINT unique_secret_user UNIQUE (secret_id, user_id)
);
CREATE TABLE gateway_secret_regex_permissions (
	id INTEGER NOT NULL, 
	regex VARCHAR(255) NOT NULL, 
	priority INTEGER NOT NULL, 
	user_id INTEGER NOT NULL, 
	permission VARCHAR(255), 
	PRIMARY KEY (id), 
	CONSTRAINT fk_gateway_secret_regex_perm_user_id FOREIGN KEY(user_id) REFERENCES users (id), 
	CONSTRAINT unique_secret_user_regex UNIQUE (regex, user_id)
);
CREATE TABLE groups (
	id INTEGER NOT NULL, 
	group_name VARCHAR(255) NOT NULL, external_id VARCHAR(255), created_at DATETIME, updated_at DATETIME, managed_by VARCHAR(255) DEFAULT 'manual' NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (group_name)
);
INSERT INTO "groups" VALUES(1,'red',NULL,'2026-11-26 12:21:23','2026-11-26 12:21:23','manual');
INSERT INTO "groups" VALUES(2,'blue',NULL,'2026-11-26 12:21:23','2026-11-26 12:21:23','manual');
INSERT INTO "groups" VALUES(3,'team-x-ds',NULL,'2026-11-26 12:21:23','2026-11-26 12:21:23','manual');
CREATE TABLE registered_model_group_permissions (
	id INTEGER NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	group_id INTEGER NOT NULL, 
	permission VARCHAR(255), prompt BOOLEAN, 
	PRIMARY KEY (id), 
	CONSTRAINT fk_group_id_registered_model_group_permissions FOREIGN KEY(group_id) REFERENCES groups (id), 
	CONSTRAINT unique_name_group UNIQUE (name, group_id)
);
INSERT INTO "registered_model_group_permissions" VALUES(1,'churn-eu',1,'READ',0);
INSERT INTO "registered_model_group_permissions" VALUES(2,'greet',1,'EDIT',1);
CREATE TABLE registered_model_group_regex_permissions (
	id INTEGER NOT NULL, 
	regex VARCHAR(255) NOT NULL, 
	priority INTEGER NOT NULL, 
	group_id INTEGER NOT NULL, 
	permission VARCHAR(255), 
	prompt BOOLEAN, 
	PRIMARY KEY (id), 
	CONSTRAINT fk_group_id_registered_model_group_regex_permissions FOREIGN KEY(group_id) REFERENCES groups (id), 
	CONSTRAINT unique_name_group_regex UNIQUE (regex, group_id, prompt)
);
INSERT INTO "registered_model_group_regex_permissions" VALUES(1,'eu-.*',10,1,'READ',0);
INSERT INTO "registered_model_group_regex_permissions" VALUES(2,'^p',5,1,'READ',1);
CREATE TABLE registered_model_permissions (
	id INTEGER NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	user_id INTEGER NOT NULL, 
	permission VARCHAR(255), 
	PRIMARY KEY (id), 
	CONSTRAINT fk_user_id_registered_model_permissions FOREIGN KEY(user_id) REFERENCES users (id), 
	CONSTRAINT unique_name_user UNIQUE (name, user_id)
);
INSERT INTO "registered_model_permissions" VALUES(1,'churn',1,'MANAGE');
CREATE TABLE registered_model_regex_permissions (
	id INTEGER NOT NULL, 
	regex VARCHAR(255) NOT NULL, 
	priority INTEGER NOT NULL, 
	user_id INTEGER NOT NULL, 
	permission VARCHAR(255), 
	prompt BOOLEAN, 
	PRIMARY KEY (id), 
	CONSTRAINT fk_user_id_registered_model_regex_permissions FOREIGN KEY(user_id) REFERENCES users (id), 
	CONSTRAINT unique_name_user_regex UNIQUE (regex, user_id, prompt)
);
INSERT INTO "registered_model_regex_permissions" VALUES(1,'^g',5,1,'EDIT',1);
CREATE TABLE saml_assertions (
	id INTEGER NOT NULL, 
	assertion_id VARCHAR(255) NOT NULL, 
	provider_id VARCHAR(255) NOT NULL, 
	not_on_or_after DATETIME NOT NULL, 
	created_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE scim_activity (
	id INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	token_id INTEGER, 
	token_name VARCHAR(255), 
	method VARCHAR(16) NOT NULL, 
	path VARCHAR(255) NOT NULL, 
	resource_id VARCHAR(255), 
	status INTEGER NOT NULL, 
	outcome VARCHAR(16) NOT NULL, 
	error VARCHAR(500), 
	duration_ms INTEGER, 
	PRIMARY KEY (id)
);
CREATE TABLE scim_tokens (
	id INTEGER NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	token_hash VARCHAR(255) NOT NULL, 
	token_prefix VARCHAR(32) NOT NULL, 
	created_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL, 
	created_by VARCHAR(255), 
	last_used_at DATETIME, 
	expires_at DATETIME, 
	revoked_at DATETIME, 
	PRIMARY KEY (id), 
	CONSTRAINT uq_scim_tokens_name UNIQUE (name)
);
CREATE TABLE scorer_group_permissions (
	id INTEGER NOT NULL, 
	experiment_id VARCHAR(255) NOT NULL, 
	scorer_name VARCHAR(256) NOT NULL, 
	group_id INTEGER NOT NULL, 
	permission VARCHAR(255), 
	PRIMARY KEY (id), 
	CONSTRAINT fk_scorer_group_perm_group_id FOREIGN KEY(group_id) REFERENCES groups (id), 
	CONSTRAINT unique_scorer_group UNIQUE (experiment_id, scorer_name, group_id)
);
INSERT INTO "scorer_group_permissions" VALUES(1,'2','tone',1,'READ');
CREATE TABLE scorer_group_regex_permissions (
	id INTEGER NOT NULL, 
	regex VARCHAR(255) NOT NULL, 
	priority INTEGER NOT NULL, 
	group_id INTEGER NOT NULL, 
	permission VARCHAR(255), 
	PRIMARY KEY (id), 
	CONSTRAINT fk_scorer_group_regex_perm_group_id FOREIGN KEY(group_id) REFERENCES groups (id), 
	CONSTRAINT unique_scorer_group_regex UNIQUE (regex, group_id)
);
CREATE TABLE scorer_permissions (
	id INTEGER NOT NULL, 
	experiment_id VARCHAR(255) NOT NULL, 
	scorer_name VARCHAR(256) NOT NULL, 
	user_id INTEGER NOT NULL, 
	permission VARCHAR(255), 
	PRIMARY KEY (id), 
	CONSTRAINT fk_scorer_perm_user_id FOREIGN KEY(user_id) REFERENCES users (id), 
	CONSTRAINT unique_scorer_user UNIQUE (experiment_id, scorer_name, user_id)
);
INSERT INTO "scorer_permissions" VALUES(1,'1','tone/of voice',1,'EDIT');
CREATE TABLE scorer_regex_permissions (
	id INTEGER NOT NULL, 
	regex VARCHAR(255) NOT NULL, 
	priority INTEGER NOT NULL, 
	user_id INTEGER NOT NULL, 
	permission VARCHAR(255), 
	PRIMARY KEY (id), 
	CONSTRAINT fk_scorer_regex_perm_user_id FOREIGN KEY(user_id) REFERENCES users (id), 
	CONSTRAINT unique_scorer_user_regex UNIQUE (regex, user_id)
);
INSERT INTO "scorer_regex_permissions" VALUES(1,'^s',5,1,'READ');
CREATE TABLE user_groups (
	id INTEGER NOT NULL, 
	user_id INTEGER NOT NULL, 
	group_id INTEGER NOT NULL, managed_by VARCHAR(255) DEFAULT 'manual' NOT NULL, 
	PRIMARY KEY (id), 
	CONSTRAINT fk_user_id_user_groups FOREIGN KEY(user_id) REFERENCES users (id), 
	CONSTRAINT fk_group_id_user_groups FOREIGN KEY(group_id) REFERENCES groups (id), 
	CONSTRAINT unique_user_group UNIQUE (user_id, group_id)
);
INSERT INTO "user_groups" VALUES(1,1,1,'manual');
INSERT INTO "user_groups" VALUES(2,3,1,'manual');
INSERT INTO "user_groups" VALUES(3,3,2,'manual');
INSERT INTO "user_groups" VALUES(4,4,2,'manual');
CREATE TABLE user_identities (
	id INTEGER NOT NULL, 
	provider_id VARCHAR(255) NOT NULL, 
	subject VARCHAR(255) NOT NULL, 
	user_id INTEGER NOT NULL, 
	created_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL, 
	last_login_at DATETIME, 
	PRIMARY KEY (id), 
	CONSTRAINT fk_user_identities_user_id FOREIGN KEY(user_id) REFERENCES users (id), 
	CONSTRAINT uq_user_identities_provider_subject UNIQUE (provider_id, subject)
);
INSERT INTO "user_identities" VALUES(1,'default','subject-of-ann',1,'2026-11-26 12:21:25',NULL);
CREATE TABLE user_tokens (
	id INTEGER NOT NULL, 
	user_id INTEGER NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	token_prefix VARCHAR(32), 
	token_hash VARCHAR(255) NOT NULL, 
	created_at DATETIME NOT NULL, 
	created_by VARCHAR(255), 
	expires_at DATETIME NOT NULL, 
	last_used_at DATETIME, 
	PRIMARY KEY (id), 
	CONSTRAINT fk_user_tokens_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE, 
	CONSTRAINT uq_user_tokens_user_id_name UNIQUE (user_id, name)
);
INSERT INTO "user_tokens" VALUES(1,1,'laptop','e3a9dbbc','pbkdf2:sha256:1000$bgCFd51QYmTr4EZ8$8cb402f4c22e2d9cc96fbf811ee5e37a740f755185b9e2317815fa5f6d7274cb','2026-11-26 12:21:23.611796','an-admin','2099-01-01 00:00:00.000000',NULL);
INSERT INTO "user_tokens" VALUES(2,4,'laptop','0e710597','pbkdf2:sha256:1000$JdqAlQ9Pqm5D7NUF$9f424f006692607178270454d18fb1d68e6efc8ee5863f2b5365df95a13c7b25','2026-11-26 12:21:23.667122','an-admin','2099-01-01 00:00:00.000000',NULL);
CREATE TABLE "users" (
	id INTEGER NOT NULL, 
	username VARCHAR(255), 
	display_name VARCHAR(255), 
	is_admin BOOLEAN, 
	is_service_account BOOLEAN, 
	active BOOLEAN DEFAULT 1 NOT NULL, 
	managed_by VARCHAR(255) DEFAULT 'manual' NOT NULL, 
	external_id VARCHAR(255), 
	created_at DATETIME, 
	updated_at DATETIME, 
	PRIMARY KEY (id), 
	UNIQUE (username)
);
INSERT INTO "users" VALUES(1,'ann','Ann',0,0,1,'manual',NULL,'2026-11-26 12:21:23','2026-11-26 12:21:23');
INSERT INTO "users" VALUES(2,'bob@example.com','Bob@Example.Com',1,0,1,'manual',NULL,'2026-11-26 12:21:23','2026-11-26 12:21:23');
INSERT INTO "users" VALUES(3,'cyd','Cyd',0,0,0,'manual',NULL,'2026-11-26 12:21:23','2026-11-26 12:21:23');
INSERT INTO "users" VALUES(4,'job','Job',0,1,1,'manual',NULL,'2026-11-26 12:21:23','2026-11-26 12:21:23');
CREATE TABLE "workspace_group_permissions" (
	workspace VARCHAR(255) NOT NULL, 
	group_id INTEGER NOT NULL, 
	permission VARCHAR(255) NOT NULL, 
	rule_id INTEGER, 
	CONSTRAINT pk_workspace_group_permissions PRIMARY KEY (workspace, group_id), 
	CONSTRAINT fk_workspace_group_perm_group_id FOREIGN KEY(group_id) REFERENCES groups (id), 
	CONSTRAINT fk_workspace_group_permissions_rule_id FOREIGN KEY(rule_id) REFERENCES workspace_group_rules (id)
);
INSERT INTO "workspace_group_permissions" VALUES('team-b',1,'USE',NULL);
INSERT INTO "workspace_group_permissions" VALUES('x',3,'EDIT',1);
CREATE TABLE workspace_group_regex_permissions (
	id INTEGER NOT NULL, 
	regex VARCHAR(255) NOT NULL, 
	priority INTEGER NOT NULL, 
	group_id INTEGER NOT NULL, 
	permission VARCHAR(255) NOT NULL, 
	PRIMARY KEY (id), 
	CONSTRAINT fk_workspace_group_regex_perm_group_id FOREIGN KEY(group_id) REFERENCES groups (id), 
	CONSTRAINT uq_workspace_regex_group UNIQUE (regex, group_id)
);
CREATE TABLE workspace_group_rules (
	id INTEGER NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	pattern VARCHAR(256) NOT NULL, 
	permission VARCHAR(255) NOT NULL, 
	mode VARCHAR(16) NOT NULL, 
	enabled BOOLEAN NOT NULL, 
	created_by VARCHAR(255), 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	PRIMARY KEY (id), 
	CONSTRAINT uq_workspace_group_rules_name UNIQUE (name)
);
INSERT INTO "workspace_group_rules" VALUES(1,'teams','team-(?P<ws>[a-z0-9]+)-ds','EDIT','enforce',1,'an-admin','2026-11-26 12:21:25.202417','2026-11-26 12:21:25.202417');
CREATE TABLE workspace_permissions (
	workspace VARCHAR(255) NOT NULL, 
	user_id INTEGER NOT NULL, 
	permission VARCHAR(255) NOT NULL, 
	CONSTRAINT pk_workspace_permissions PRIMARY KEY (workspace, user_id), 
	CONSTRAINT fk_workspace_perm_user_id FOREIGN KEY(user_id) REFERENCES users (id)
);
INSERT INTO "workspace_permissions" VALUES('team-a',1,'EDIT');
CREATE TABLE workspace_regex_permissions (
	id INTEGER NOT NULL, 
	regex VARCHAR(255) NOT NULL, 
	priority INTEGER NOT NULL, 
	user_id INTEGER NOT NULL, 
	permission VARCHAR(255) NOT NULL, 
	PRIMARY KEY (id), 
	CONSTRAINT fk_workspace_regex_perm_user_id FOREIGN KEY(user_id) REFERENCES users (id), 
	CONSTRAINT uq_workspace_regex_user UNIQUE (regex, user_id)
);
INSERT INTO "workspace_regex_permissions" VALUES(1,'^team-c',5,1,'READ');
CREATE INDEX ix_user_identities_user_id ON user_identities (user_id);
CREATE UNIQUE INDEX ix_auth_sessions_session_id ON auth_sessions (session_id);
CREATE INDEX ix_auth_sessions_user_id ON auth_sessions (user_id);
CREATE INDEX ix_auth_sessions_expires_at ON auth_sessions (expires_at);
CREATE UNIQUE INDEX ix_auth_state_state ON auth_state (state);
CREATE INDEX ix_auth_state_expires_at ON auth_state (expires_at);
CREATE UNIQUE INDEX ix_groups_external_id ON groups (external_id);
CREATE UNIQUE INDEX ix_scim_tokens_token_prefix ON scim_tokens (token_prefix);
CREATE UNIQUE INDEX ix_saml_assertions_assertion_id ON saml_assertions (assertion_id);
CREATE INDEX ix_saml_assertions_not_on_or_after ON saml_assertions (not_on_or_after);
CREATE INDEX ix_scim_activity_at ON scim_activity (at);
CREATE INDEX ix_scim_activity_token_id_at ON scim_activity (token_id, at);
CREATE UNIQUE INDEX ix_user_tokens_token_prefix ON user_tokens (token_prefix);
CREATE UNIQUE INDEX ix_users_external_id ON users (external_id);
CREATE INDEX ix_workspace_group_permissions_rule_id ON workspace_group_permissions (rule_id);
COMMIT;

-- What test/predecessors/basic.py has made with MLflow 3.17.2.
BEGIN TRANSACTION;
CREATE TABLE alembic_version_auth (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_auth_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version_auth" VALUES('f1a2b3c4d5e6');
CREATE TABLE experiment_permissions (
	id INTEGER NOT NULL, 
	experiment_id VARCHAR(255) NOT NULL, 
	user_id INTEGER NOT NULL, 
	permission VARCHAR(255), 
	PRIMARY KEY (id), 
	CONSTRAINT fk_user_id FOREIGN KEY(user_id) REFERENCES users (id), 
	CONSTRAINT unique_experiment_user UNIQUE (experiment_id, user_id)
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
CREATE TABLE gateway_model_definition_permissions (
	id INTEGER NOT NULL, 
	model_definition_id VARCHAR(255) NOT NULL, 
	user_id INTEGER NOT NULL, 
	permission VARCHAR(255), 
	PRIMARY KEY (id), 
	CONSTRAINT fk_gateway_model_def_perm_user_id FOREIGN KEY(user_id) REFERENCES users (id), 
	CONSTRAINT unique_model_def_user UNIQUE (model_definition_id, user_id)
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
CREATE TABLE "registered_model_permissions" (
	id INTEGER NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	user_id INTEGER NOT NULL, 
	permission VARCHAR(255), 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	PRIMARY KEY (id), 
	CONSTRAINT fk_user_id FOREIGN KEY(user_id) REFERENCES users (id), 
	CONSTRAINT unique_workspace_name_user UNIQUE (workspace, name, user_id)
);
CREATE TABLE role_permissions (
	id INTEGER NOT NULL, 
	role_id INTEGER NOT NULL, 
	resource_type VARCHAR(64) NOT NULL, 
	resource_pattern VARCHAR(255) NOT NULL, 
	permission VARCHAR(255) NOT NULL, 
	PRIMARY KEY (id), 
	CONSTRAINT unique_role_resource_perm UNIQUE (role_id, resource_type, resource_pattern), 
	FOREIGN KEY(role_id) REFERENCES roles (id)
);
INSERT INTO "role_permissions" VALUES(1,1,'experiment','1','EDIT');
INSERT INTO "role_permissions" VALUES(2,1,'experiment','4','DENY');
INSERT INTO "role_permissions" VALUES(3,1,'registered_model','churn','MANAGE');
INSERT INTO "role_permissions" VALUES(4,1,'prompt','greet','READ');
INSERT INTO "role_permissions" VALUES(5,1,'scorer','1/tone%2Fof%20voice','EDIT');
INSERT INTO "role_permissions" VALUES(6,1,'gateway_endpoint','e-123','USE');
INSERT INTO "role_permissions" VALUES(7,1,'gateway_secret','s-123','DENY');
INSERT INTO "role_permissions" VALUES(8,1,'run','*','READ');
INSERT INTO "role_permissions" VALUES(9,2,'experiment','*','READ');
INSERT INTO "role_permissions" VALUES(10,2,'registered_model','secret','DENY');
INSERT INTO "role_permissions" VALUES(11,3,'workspace','*','MANAGE');
CREATE TABLE roles (
	id INTEGER NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	workspace VARCHAR(63) NOT NULL, 
	description VARCHAR(1024), 
	PRIMARY KEY (id), 
	CONSTRAINT unique_workspace_role_name UNIQUE (workspace, name)
);
INSERT INTO "roles" VALUES(1,'__user_3__','default',NULL);
INSERT INTO "roles" VALUES(2,'team','default','who may read');
INSERT INTO "roles" VALUES(3,'admin','team-a',NULL);
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
CREATE TABLE user_role_assignments (
	id INTEGER NOT NULL, 
	user_id INTEGER NOT NULL, 
	role_id INTEGER NOT NULL, 
	PRIMARY KEY (id), 
	CONSTRAINT unique_user_role UNIQUE (user_id, role_id), 
	FOREIGN KEY(user_id) REFERENCES users (id), 
	FOREIGN KEY(role_id) REFERENCES roles (id)
);
INSERT INTO "user_role_assignments" VALUES(1,3,1);
INSERT INTO "user_role_assignments" VALUES(2,4,2);
INSERT INTO "user_role_assignments" VALUES(3,4,3);
CREATE TABLE users (
	id INTEGER NOT NULL, 
	username VARCHAR(255), 
	password_hash VARCHAR(255), 
	is_admin BOOLEAN, 
	PRIMARY KEY (id), 
	UNIQUE (username)
);
INSERT INTO "users" VALUES(1,'admin','scrypt:32768:8:1$PT0wPb5QPzdwbU85$bdb5c53c3739a3d56f009f5eb3b828778f6fa53741bf4b9e67fd9cda65bf2757e0f4ce5455866c1dfa0f9d7db993f0ccbb6ed15a6acd2bad83391e12612f0eb6',1);
INSERT INTO "users" VALUES(2,'root','scrypt:32768:8:1$e3ARF4A6s4xR9Jq0$7e0f96f5b212015bba410cbeaf42faa35b07ed89d6d55354a0a51c86e146f07c9878a34c7cc2343c99d94190b63e3424df3851d4004ad1b4021f8172f5d5156c',1);
INSERT INTO "users" VALUES(3,'Ann','scrypt:32768:8:1$eGlQRQ4TmJjzjvwC$4c3fce39286626bcc4cdebd077ff098f5618fc1fe1b310d189b7528c3216ccec3cc9b53b9611d0892b303acd4830b0156cdb656e052329cb775a5e8929b4c56c',0);
INSERT INTO "users" VALUES(4,'bob','scrypt:32768:8:1$ajYDDhrFMwwa7ipg$46e4aab5b84c68733450b68893dcfd9b2b4a15a8d96f1b9dc630f9e355101ba444422c3fe02c41cac49a48fe89021e26149897c9a69432af4374d713d8163494',0);
CREATE TABLE workspace_permissions (
	workspace VARCHAR(63) NOT NULL, 
	user_id INTEGER NOT NULL, 
	permission VARCHAR(32) NOT NULL, 
	CONSTRAINT workspace_permissions_pk PRIMARY KEY (workspace, user_id), 
	FOREIGN KEY(user_id) REFERENCES users (id)
);
CREATE INDEX idx_workspace_permissions_user_id ON workspace_permissions (user_id);
CREATE INDEX idx_workspace_permissions_workspace ON workspace_permissions (workspace);
CREATE INDEX idx_roles_workspace ON roles (workspace);
CREATE INDEX idx_role_permissions_role_id ON role_permissions (role_id);
CREATE INDEX idx_user_role_assignments_user_id ON user_role_assignments (user_id);
CREATE INDEX idx_user_role_assignments_role_id ON user_role_assignments (role_id);
COMMIT;

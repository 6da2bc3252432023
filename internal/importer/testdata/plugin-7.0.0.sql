-- What test/predecessors/plugin.py has made with the Python plugin 7.0.0.
-- secret of ann: an-old-secret-of-twenty-four-letters-and-more-ann
-- secret of Bob@example.com: an-old-secret-of-twenty-four-letters-and-more-Bob@example.com
-- secret of cyd: an-old-secret-of-twenty-four-letters-and-more-cyd
-- secret of job: an-old-secret-of-twenty-four-letters-and-more-job
BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('8a9b0c1de234');
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
	group_name VARCHAR(255) NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (group_name)
);
INSERT INTO "groups" VALUES(1,'red');
INSERT INTO "groups" VALUES(2,'blue');
INSERT INTO "groups" VALUES(3,'team-x-ds');
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
	group_id INTEGER NOT NULL, 
	PRIMARY KEY (id), 
	CONSTRAINT fk_user_id_user_groups FOREIGN KEY(user_id) REFERENCES users (id), 
	CONSTRAINT fk_group_id_user_groups FOREIGN KEY(group_id) REFERENCES groups (id), 
	CONSTRAINT unique_user_group UNIQUE (user_id, group_id)
);
INSERT INTO "user_groups" VALUES(1,1,1);
INSERT INTO "user_groups" VALUES(2,3,1);
INSERT INTO "user_groups" VALUES(3,3,2);
INSERT INTO "user_groups" VALUES(4,4,2);
CREATE TABLE users (
	id INTEGER NOT NULL, 
	username VARCHAR(255), 
	display_name VARCHAR(255), 
	password_hash VARCHAR(255), 
	is_admin BOOLEAN, is_service_account BOOLEAN, password_expiration DATETIME, 
	PRIMARY KEY (id), 
	UNIQUE (username)
);
INSERT INTO "users" VALUES(1,'ann','Ann','scrypt:32768:8:1$PWrreB0dGiu7nbol$108300e5ad862ba2834549c07744044d83c819aacf9223f4615741491506ccde1badfaa8262d16559a20c4640a7afdde03305333c2538cc5813c5d7dea6f682c',0,0,'2099-01-01 00:00:00.000000');
INSERT INTO "users" VALUES(2,'Bob@example.com','Bob@Example.Com','scrypt:32768:8:1$bi18QWJh6BERWYak$85a6d4880dffda8b2af450427e0385b9106a2f9e1b76bbe02205d2ef445de83a70f689be14a0b3d4ffa4b756656c4042e1bba4194aede19f6cb972d677d61f4d',1,0,'2099-01-01 00:00:00.000000');
INSERT INTO "users" VALUES(3,'cyd','Cyd','scrypt:32768:8:1$oGPbiaGSdVPklKgF$268fe4fbed33836bfe30d1b2ea5e0ab592f5598dc419a04ddd39c4b0180a7f324d55072ffabf9789805a3099520833b88a822ef6a54d64b452bb7fc98834c11f',0,0,'2099-01-01 00:00:00.000000');
INSERT INTO "users" VALUES(4,'job','Job','scrypt:32768:8:1$7Z6H2Cgt0g4ayMn1$9286e337761d754f0844ea7110e715665ca23f91c33f6802ee403f5d212a2ed854317da204c84a77bfc2e1dc67cf68c0e51cbc698d725c8468646c2925858a72',0,1,NULL);
CREATE TABLE workspace_group_permissions (
	workspace VARCHAR(255) NOT NULL, 
	group_id INTEGER NOT NULL, 
	permission VARCHAR(255) NOT NULL, 
	CONSTRAINT pk_workspace_group_permissions PRIMARY KEY (workspace, group_id), 
	CONSTRAINT fk_workspace_group_perm_group_id FOREIGN KEY(group_id) REFERENCES groups (id)
);
INSERT INTO "workspace_group_permissions" VALUES('team-b',1,'USE');
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
COMMIT;

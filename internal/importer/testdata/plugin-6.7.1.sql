-- What test/predecessors/plugin.py has made with the Python plugin 6.7.1.
-- secret of ann: an-old-secret-of-twenty-four-letters-and-more-ann
-- secret of Bob@example.com: an-old-secret-of-twenty-four-letters-and-more-Bob@example.com
-- secret of cyd: an-old-secret-of-twenty-four-letters-and-more-cyd
-- secret of job: an-old-secret-of-twenty-four-letters-and-more-job
BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('6a7b8c9def01');
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
INSERT INTO "users" VALUES(1,'ann','Ann','scrypt:32768:8:1$JxEpVWnGvoLJZTlt$01fa4627ecc1ca0348e2adca7ea478b16ce5dce570662b58f6a750e51aa9a606e9a98b947e59869a4aa75b966ed68beee269fc3c73aa82871f431ea045a41ada',0,0,'2099-01-01 00:00:00.000000');
INSERT INTO "users" VALUES(2,'Bob@example.com','Bob@Example.Com','scrypt:32768:8:1$Li9HjPdgTgquQPCZ$f26fa0226db7870e7fdf6cabf8052b9f45dd4ee4ebfc35754eb5fa65767dfefb525b39ab4bbf44f4ba7415e2eb6d4645efe8158d08a7f90e4083e94049d3d4c7',1,0,'2099-01-01 00:00:00.000000');
INSERT INTO "users" VALUES(3,'cyd','Cyd','scrypt:32768:8:1$1CRGUeCf2QAHWOH9$7033073809d3642942b256197595be5a3a8f3275c48c46d515e2fa5557371b6bfc8679556f72644757316b16a5b268feec5830fc4475619776408ff72c57471c',0,0,'2099-01-01 00:00:00.000000');
INSERT INTO "users" VALUES(4,'job','Job','scrypt:32768:8:1$0xhIDyM7jju66Aa6$844d3cf64e5186f0ab304672cf8fe123b1c1dd8771ae2a294fb9f76897850147c138f739966730b8186ba06457804cc0c5ee5121b3e91e600d7aaa7083526d7c',0,1,NULL);
COMMIT;

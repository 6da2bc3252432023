-- What test/predecessors/plugin.py has made with the Python plugin 6.0.0.
-- secret of ann: an-old-secret-of-twenty-four-letters-and-more-ann
-- secret of Bob@example.com: an-old-secret-of-twenty-four-letters-and-more-Bob@example.com
-- secret of cyd: an-old-secret-of-twenty-four-letters-and-more-cyd
-- secret of job: an-old-secret-of-twenty-four-letters-and-more-job
BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('3c3272527ade');
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
INSERT INTO "users" VALUES(1,'ann','Ann','scrypt:32768:8:1$DME3xHGug3j1LpQA$c8cf54b96ee185131be8ea45ebee29cfbf097cdb9f20132a49ced2cee978443f5bb33be1eb6e1e2f3a0ee717297781cef7ce35b2fc38a47a6e3a8032071a2b9e',0,0,'2099-01-01 00:00:00.000000');
INSERT INTO "users" VALUES(2,'Bob@example.com','Bob@Example.Com','scrypt:32768:8:1$XK2yaWvK9rkmBN9U$c3e370d3ce98103be8249376500a618a7d1c80cda5a3ad0632226b108d10871b41a18ffb0748e981c4aa1ca02e1973ebca81bc3e4bbf7b6d45e6275c5d387522',1,0,'2099-01-01 00:00:00.000000');
INSERT INTO "users" VALUES(3,'cyd','Cyd','scrypt:32768:8:1$z0GiWti4gQeP2Mxa$8fbebd6772c11315ef96f3d7220220e58e7c0aac146a9ad51da79626f8a90a9fa002eb61fdf534fe038ef3c21e71d09ee6a62aca08d9b95e9141158c645698e8',0,0,'2099-01-01 00:00:00.000000');
INSERT INTO "users" VALUES(4,'job','Job','scrypt:32768:8:1$EXa58G6RlLj6MAJk$06dfb3a3d64d3c3d8dc90bc183b7bd3021699173c1331c67cf7cc578a66af9b176386ae1168f61bb498b1c8b505c1536727456e653eae5bda9d7ab90edbe197a',0,1,NULL);
COMMIT;

-- What test/predecessors/basic.py has made with MLflow 3.5.0.
BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('8606fa83a998');
CREATE TABLE experiment_permissions (
	id INTEGER NOT NULL, 
	experiment_id VARCHAR(255) NOT NULL, 
	user_id INTEGER NOT NULL, 
	permission VARCHAR(255), 
	PRIMARY KEY (id), 
	CONSTRAINT fk_user_id FOREIGN KEY(user_id) REFERENCES users (id), 
	CONSTRAINT unique_experiment_user UNIQUE (experiment_id, user_id)
);
INSERT INTO "experiment_permissions" VALUES(1,'1',3,'EDIT');
INSERT INTO "experiment_permissions" VALUES(2,'4',3,'NO_PERMISSIONS');
INSERT INTO "experiment_permissions" VALUES(3,'5',4,NULL);
CREATE TABLE registered_model_permissions (
	id INTEGER NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	user_id INTEGER NOT NULL, 
	permission VARCHAR(255), 
	PRIMARY KEY (id), 
	CONSTRAINT fk_user_id FOREIGN KEY(user_id) REFERENCES users (id), 
	CONSTRAINT unique_name_user UNIQUE (name, user_id)
);
INSERT INTO "registered_model_permissions" VALUES(1,'churn',3,'MANAGE');
CREATE TABLE users (
	id INTEGER NOT NULL, 
	username VARCHAR(255), 
	password_hash VARCHAR(255), 
	is_admin BOOLEAN, 
	PRIMARY KEY (id), 
	UNIQUE (username)
);
INSERT INTO "users" VALUES(1,'admin','scrypt:32768:8:1$aSkG6vTXydbT8kMM$b2e1603b6e3c8bc058ef64d7d41a22e5db137552e04c6a387ef719a6d4b12cf0e2ddf3325a2172e0fd40321abd933015a60ab33df1ee7635f58b5a226e023732',1);
INSERT INTO "users" VALUES(2,'root','scrypt:32768:8:1$WPFqjupGNZgAB1ok$a98f976825fbcefabde511d4ef38630382b71d6051146301bfd29a211b9b0d9b5acb3ef319aa366ee4ae7a092e33ffe2767d8bcc1728c85f2b7be0271f6c39e8',1);
INSERT INTO "users" VALUES(3,'Ann','scrypt:32768:8:1$8QsH4VdBnttzxOTF$f2c4f51f4f5343ec4ab04d52c35578333ec63c76db370212066d57c8051283ae50b2600db8c093f2de3e6fcadb672e75c3109ac6bac9900b96cb00a2ba08b735',0);
INSERT INTO "users" VALUES(4,'bob','scrypt:32768:8:1$aYlkc1P9IRWdZuOx$c3a3838c01b43a4d7478261bbf3d20515bd397b8c1e212afde7e21e52cb5bc100364e59fd8ec5cd13420bc84a2f445257c489e3bcc3fe0952ef2fcf9d59523a3',0);
COMMIT;

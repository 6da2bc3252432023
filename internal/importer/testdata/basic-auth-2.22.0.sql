-- What test/predecessors/basic.py has made with MLflow 2.22.0.
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
INSERT INTO "users" VALUES(1,'admin','scrypt:32768:8:1$9DWVwomtV1HK84Dn$c943a1832e6ea73b03e5389f6a050f6ddff0274d1befe251a48f2541313a319c49222ebfaeb8ea3af85616837975f6ddf5b796dfc503a6f6d71835a883795c52',1);
INSERT INTO "users" VALUES(2,'root','scrypt:32768:8:1$r2wX4ymZQTuDLPvw$f35c60fc7b5f47324284aee7878456cdc19048239bac609c324ace86bba9be878fa24f64418bbe55a81290a6b8e3b7b4999cb203969a3a66592371e30587174a',1);
INSERT INTO "users" VALUES(3,'Ann','scrypt:32768:8:1$bPlHfUlvA4iYJga0$ccdd39a99504e290afa5bcd81242fdf550ab9d2472309b0738cabc4ef72158ebd1b8f13bea95ff5d301038c87f92bbeea837ca32aa7d4302754e77bbf01c349b',0);
INSERT INTO "users" VALUES(4,'bob','scrypt:32768:8:1$N64zBjIuelJTOiQg$034014f1c65fed78d06c9de5553c52810e117a44459e3f03091422cdf4563505fd630d805aa6f3678065627e49ddba958b4b1f3893944e6e2b4dd09019a91a0f',0);
COMMIT;

-- What test/predecessors/server.py has made of plugin-5.7.0.sql.
CREATE TABLE `alembic_version` (
  `version_num` varchar(32) NOT NULL,
  PRIMARY KEY (`version_num`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `alembic_version` VALUES ('0565cf04c12e');
CREATE TABLE `experiment_group_permissions` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `experiment_id` varchar(255) NOT NULL,
  `group_id` int(11) NOT NULL,
  `permission` varchar(255) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `unique_experiment_group` (`experiment_id`,`group_id`),
  KEY `fk_group_id_experiment_group_permissions` (`group_id`),
  CONSTRAINT `fk_group_id_experiment_group_permissions` FOREIGN KEY (`group_id`) REFERENCES `groups` (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=3 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `experiment_group_permissions` VALUES (1,'2',1,'READ');
INSERT INTO `experiment_group_permissions` VALUES (2,'3',2,'MANAGE');
CREATE TABLE `experiment_group_regex_permissions` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `regex` varchar(255) NOT NULL,
  `priority` int(11) NOT NULL,
  `group_id` int(11) NOT NULL,
  `permission` varchar(255) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `unique_experiment_group_regex` (`regex`,`group_id`),
  KEY `fk_group_id_experiment_group_regex_permissions` (`group_id`),
  CONSTRAINT `fk_group_id_experiment_group_regex_permissions` FOREIGN KEY (`group_id`) REFERENCES `groups` (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=2 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `experiment_group_regex_permissions` VALUES (1,'\\w+-x',5,2,'EDIT');
CREATE TABLE `experiment_permissions` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `experiment_id` varchar(255) NOT NULL,
  `user_id` int(11) NOT NULL,
  `permission` varchar(255) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `unique_experiment_user` (`experiment_id`,`user_id`),
  KEY `fk_user_id_experiment_permissions` (`user_id`),
  CONSTRAINT `fk_user_id_experiment_permissions` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=5 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `experiment_permissions` VALUES (1,'1',1,'EDIT');
INSERT INTO `experiment_permissions` VALUES (2,'4',1,'NO_PERMISSIONS');
INSERT INTO `experiment_permissions` VALUES (3,'5',1,NULL);
INSERT INTO `experiment_permissions` VALUES (4,'6',1,'OWNER');
CREATE TABLE `experiment_regex_permissions` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `regex` varchar(255) NOT NULL,
  `priority` int(11) NOT NULL,
  `user_id` int(11) NOT NULL,
  `permission` varchar(255) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `unique_experiment_user_regex` (`regex`,`user_id`),
  KEY `fk_user_id_experiment_regex_permissions` (`user_id`),
  CONSTRAINT `fk_user_id_experiment_regex_permissions` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=3 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `experiment_regex_permissions` VALUES (1,'^ann-.*',10,1,'MANAGE');
INSERT INTO `experiment_regex_permissions` VALUES (2,'^(?!secret).*',20,1,'READ');
CREATE TABLE `groups` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `group_name` varchar(255) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `group_name` (`group_name`)
) ENGINE=InnoDB AUTO_INCREMENT=4 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `groups` VALUES (2,'blue');
INSERT INTO `groups` VALUES (1,'red');
INSERT INTO `groups` VALUES (3,'team-x-ds');
CREATE TABLE `registered_model_group_permissions` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `name` varchar(255) NOT NULL,
  `group_id` int(11) NOT NULL,
  `permission` varchar(255) DEFAULT NULL,
  `prompt` tinyint(1) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `unique_name_group` (`name`,`group_id`),
  KEY `fk_group_id_registered_model_group_permissions` (`group_id`),
  CONSTRAINT `fk_group_id_registered_model_group_permissions` FOREIGN KEY (`group_id`) REFERENCES `groups` (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=3 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `registered_model_group_permissions` VALUES (1,'churn-eu',1,'READ',0);
INSERT INTO `registered_model_group_permissions` VALUES (2,'greet',1,'EDIT',1);
CREATE TABLE `registered_model_group_regex_permissions` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `regex` varchar(255) NOT NULL,
  `priority` int(11) NOT NULL,
  `group_id` int(11) NOT NULL,
  `permission` varchar(255) DEFAULT NULL,
  `prompt` tinyint(1) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `unique_name_group_regex` (`regex`,`group_id`,`prompt`),
  KEY `fk_group_id_registered_model_group_regex_permissions` (`group_id`),
  CONSTRAINT `fk_group_id_registered_model_group_regex_permissions` FOREIGN KEY (`group_id`) REFERENCES `groups` (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=3 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `registered_model_group_regex_permissions` VALUES (1,'eu-.*',10,1,'READ',0);
INSERT INTO `registered_model_group_regex_permissions` VALUES (2,'^p',5,1,'READ',1);
CREATE TABLE `registered_model_permissions` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `name` varchar(255) NOT NULL,
  `user_id` int(11) NOT NULL,
  `permission` varchar(255) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `unique_name_user` (`name`,`user_id`),
  KEY `fk_user_id_registered_model_permissions` (`user_id`),
  CONSTRAINT `fk_user_id_registered_model_permissions` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=2 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `registered_model_permissions` VALUES (1,'churn',1,'MANAGE');
CREATE TABLE `registered_model_regex_permissions` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `regex` varchar(255) NOT NULL,
  `priority` int(11) NOT NULL,
  `user_id` int(11) NOT NULL,
  `permission` varchar(255) DEFAULT NULL,
  `prompt` tinyint(1) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `unique_name_user_regex` (`regex`,`user_id`,`prompt`),
  KEY `fk_user_id_registered_model_regex_permissions` (`user_id`),
  CONSTRAINT `fk_user_id_registered_model_regex_permissions` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=2 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `registered_model_regex_permissions` VALUES (1,'^g',5,1,'EDIT',1);
CREATE TABLE `user_groups` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `user_id` int(11) NOT NULL,
  `group_id` int(11) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `unique_user_group` (`user_id`,`group_id`),
  KEY `fk_group_id_user_groups` (`group_id`),
  CONSTRAINT `fk_group_id_user_groups` FOREIGN KEY (`group_id`) REFERENCES `groups` (`id`),
  CONSTRAINT `fk_user_id_user_groups` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=5 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `user_groups` VALUES (1,1,1);
INSERT INTO `user_groups` VALUES (2,3,1);
INSERT INTO `user_groups` VALUES (3,3,2);
INSERT INTO `user_groups` VALUES (4,4,2);
CREATE TABLE `users` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `username` varchar(255) DEFAULT NULL,
  `display_name` varchar(255) DEFAULT NULL,
  `password_hash` varchar(255) DEFAULT NULL,
  `is_admin` tinyint(1) DEFAULT NULL,
  `is_service_account` tinyint(1) DEFAULT NULL,
  `password_expiration` datetime DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `username` (`username`)
) ENGINE=InnoDB AUTO_INCREMENT=5 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `users` VALUES (1,'ann','Ann','scrypt:32768:8:1$fFT2FQFjuhKiZ7z0$7417cd94926cc2156741b7d25ed8c72e0c7d23d66b479bd073d851dbf457f42c4dbad28bcfe959c59fc020199b9c8fdb9bb2822d880f9a1b6af663875a0c3a51',0,0,'2099-01-01 00:00:00');
INSERT INTO `users` VALUES (2,'Bob@example.com','Bob@Example.Com','scrypt:32768:8:1$t0ugEZFkVUWillrM$127dbcf2630d14a265afcf660bfb6c6078393aa1a44a7a1291b765760b860a9fb1db62d90cfb4d3e2e1d73a824dddf36971c4bdd6b7f47804e0e4f26356d4556',1,0,'2099-01-01 00:00:00');
INSERT INTO `users` VALUES (3,'cyd','Cyd','scrypt:32768:8:1$Ok5GjqZ0gjGElcTp$f4d330ab0ed8639b25032e9bb0d83d90ac36bf3a934ac0ea748a34caa32fa8128ef24c23c5948c5e82799801dc0a924d30824e4f743713206dd72ed543803746',0,0,'2099-01-01 00:00:00');
INSERT INTO `users` VALUES (4,'job','Job','scrypt:32768:8:1$2aDyCAxjD00r8i0l$7c602de85487a455cd1ed5281e49e4d42ab9f098df5b21abd95601100ca8aefffdf2da52e0e331a08323a13c7583c33d23dbf826097916074eec4276c89be7cf',0,1,NULL);

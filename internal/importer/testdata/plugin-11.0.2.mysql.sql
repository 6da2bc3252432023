-- What test/predecessors/server.py has made of plugin-11.0.2.sql.
CREATE TABLE `alembic_version` (
  `version_num` varchar(32) NOT NULL,
  PRIMARY KEY (`version_num`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `alembic_version` VALUES ('e1f2a3b4c5d6');
CREATE TABLE `auth_sessions` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `session_id` varchar(255) NOT NULL,
  `user_id` int(11) NOT NULL,
  `provider_id` varchar(255) DEFAULT NULL,
  `created_at` datetime NOT NULL DEFAULT current_timestamp(),
  `last_seen_at` datetime DEFAULT NULL,
  `expires_at` datetime NOT NULL,
  `revoked_at` datetime DEFAULT NULL,
  `encrypted_tokens` text DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `ix_auth_sessions_session_id` (`session_id`),
  KEY `ix_auth_sessions_user_id` (`user_id`),
  KEY `ix_auth_sessions_expires_at` (`expires_at`),
  CONSTRAINT `fk_auth_sessions_user_id` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
CREATE TABLE `auth_state` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `state` varchar(255) NOT NULL,
  `nonce` varchar(255) DEFAULT NULL,
  `code_verifier` varchar(255) DEFAULT NULL,
  `provider_id` varchar(255) DEFAULT NULL,
  `relay_state` text DEFAULT NULL,
  `created_at` datetime NOT NULL DEFAULT current_timestamp(),
  `expires_at` datetime NOT NULL,
  `binding_hash` varchar(64) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `ix_auth_state_state` (`state`),
  KEY `ix_auth_state_expires_at` (`expires_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
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
  `workspace` varchar(63) NOT NULL DEFAULT '*',
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_experiment_group_regex_ws` (`regex`,`group_id`,`workspace`),
  KEY `fk_group_id_experiment_group_regex_permissions` (`group_id`),
  CONSTRAINT `fk_group_id_experiment_group_regex_permissions` FOREIGN KEY (`group_id`) REFERENCES `groups` (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=2 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `experiment_group_regex_permissions` VALUES (1,'\\w+-x',5,2,'EDIT','*');
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
  `workspace` varchar(63) NOT NULL DEFAULT '*',
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_experiment_user_regex_ws` (`regex`,`user_id`,`workspace`),
  KEY `fk_user_id_experiment_regex_permissions` (`user_id`),
  CONSTRAINT `fk_user_id_experiment_regex_permissions` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=3 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `experiment_regex_permissions` VALUES (1,'^ann-.*',10,1,'MANAGE','*');
INSERT INTO `experiment_regex_permissions` VALUES (2,'^(?!secret).*',20,1,'READ','*');
CREATE TABLE `gateway_endpoint_group_permissions` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `endpoint_id` varchar(255) NOT NULL,
  `group_id` int(11) NOT NULL,
  `permission` varchar(255) DEFAULT NULL,
  `workspace` varchar(63) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_gw_endpoint_group_perm_workspace_group` (`workspace`,`endpoint_id`,`group_id`),
  KEY `fk_gateway_endpoint_group_perm_group_id` (`group_id`),
  CONSTRAINT `fk_gateway_endpoint_group_perm_group_id` FOREIGN KEY (`group_id`) REFERENCES `groups` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
CREATE TABLE `gateway_endpoint_group_regex_permissions` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `regex` varchar(255) NOT NULL,
  `priority` int(11) NOT NULL,
  `group_id` int(11) NOT NULL,
  `permission` varchar(255) DEFAULT NULL,
  `workspace` varchar(63) NOT NULL DEFAULT '*',
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_endpoint_group_regex_ws` (`regex`,`group_id`,`workspace`),
  KEY `fk_gateway_endpoint_group_regex_perm_group_id` (`group_id`),
  CONSTRAINT `fk_gateway_endpoint_group_regex_perm_group_id` FOREIGN KEY (`group_id`) REFERENCES `groups` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
CREATE TABLE `gateway_endpoint_permissions` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `endpoint_id` varchar(255) NOT NULL,
  `user_id` int(11) NOT NULL,
  `permission` varchar(255) DEFAULT NULL,
  `workspace` varchar(63) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_gw_endpoint_perm_workspace_user` (`workspace`,`endpoint_id`,`user_id`),
  KEY `fk_gateway_endpoint_perm_user_id` (`user_id`),
  CONSTRAINT `fk_gateway_endpoint_perm_user_id` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=2 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `gateway_endpoint_permissions` VALUES (1,'chat',1,'USE','default');
CREATE TABLE `gateway_endpoint_regex_permissions` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `regex` varchar(255) NOT NULL,
  `priority` int(11) NOT NULL,
  `user_id` int(11) NOT NULL,
  `permission` varchar(255) DEFAULT NULL,
  `workspace` varchar(63) NOT NULL DEFAULT '*',
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_endpoint_user_regex_ws` (`regex`,`user_id`,`workspace`),
  KEY `fk_gateway_endpoint_regex_perm_user_id` (`user_id`),
  CONSTRAINT `fk_gateway_endpoint_regex_perm_user_id` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
CREATE TABLE `gateway_model_definition_group_permissions` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `model_definition_id` varchar(255) NOT NULL,
  `group_id` int(11) NOT NULL,
  `permission` varchar(255) DEFAULT NULL,
  `workspace` varchar(63) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_gw_model_def_group_perm_workspace_group` (`workspace`,`model_definition_id`,`group_id`),
  KEY `fk_gateway_model_def_group_perm_group_id` (`group_id`),
  CONSTRAINT `fk_gateway_model_def_group_perm_group_id` FOREIGN KEY (`group_id`) REFERENCES `groups` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
CREATE TABLE `gateway_model_definition_group_regex_permissions` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `regex` varchar(255) NOT NULL,
  `priority` int(11) NOT NULL,
  `group_id` int(11) NOT NULL,
  `permission` varchar(255) DEFAULT NULL,
  `workspace` varchar(63) NOT NULL DEFAULT '*',
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_model_def_group_regex_ws` (`regex`,`group_id`,`workspace`),
  KEY `fk_gateway_model_def_group_regex_perm_group_id` (`group_id`),
  CONSTRAINT `fk_gateway_model_def_group_regex_perm_group_id` FOREIGN KEY (`group_id`) REFERENCES `groups` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
CREATE TABLE `gateway_model_definition_permissions` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `model_definition_id` varchar(255) NOT NULL,
  `user_id` int(11) NOT NULL,
  `permission` varchar(255) DEFAULT NULL,
  `workspace` varchar(63) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_gw_model_def_perm_workspace_user` (`workspace`,`model_definition_id`,`user_id`),
  KEY `fk_gateway_model_def_perm_user_id` (`user_id`),
  CONSTRAINT `fk_gateway_model_def_perm_user_id` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
CREATE TABLE `gateway_model_definition_regex_permissions` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `regex` varchar(255) NOT NULL,
  `priority` int(11) NOT NULL,
  `user_id` int(11) NOT NULL,
  `permission` varchar(255) DEFAULT NULL,
  `workspace` varchar(63) NOT NULL DEFAULT '*',
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_model_def_user_regex_ws` (`regex`,`user_id`,`workspace`),
  KEY `fk_gateway_model_def_regex_perm_user_id` (`user_id`),
  CONSTRAINT `fk_gateway_model_def_regex_perm_user_id` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=2 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `gateway_model_definition_regex_permissions` VALUES (1,'^m',5,1,'USE','*');
CREATE TABLE `gateway_secret_group_permissions` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `secret_id` varchar(255) NOT NULL,
  `group_id` int(11) NOT NULL,
  `permission` varchar(255) DEFAULT NULL,
  `workspace` varchar(63) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_gw_secret_group_perm_workspace_group` (`workspace`,`secret_id`,`group_id`),
  KEY `fk_gateway_secret_group_perm_group_id` (`group_id`),
  CONSTRAINT `fk_gateway_secret_group_perm_group_id` FOREIGN KEY (`group_id`) REFERENCES `groups` (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=2 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `gateway_secret_group_permissions` VALUES (1,'openai',1,'READ','default');
CREATE TABLE `gateway_secret_group_regex_permissions` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `regex` varchar(255) NOT NULL,
  `priority` int(11) NOT NULL,
  `group_id` int(11) NOT NULL,
  `permission` varchar(255) DEFAULT NULL,
  `workspace` varchar(63) NOT NULL DEFAULT '*',
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_secret_group_regex_ws` (`regex`,`group_id`,`workspace`),
  KEY `fk_gateway_secret_group_regex_perm_group_id` (`group_id`),
  CONSTRAINT `fk_gateway_secret_group_regex_perm_group_id` FOREIGN KEY (`group_id`) REFERENCES `groups` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
CREATE TABLE `gateway_secret_permissions` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `secret_id` varchar(255) NOT NULL,
  `user_id` int(11) NOT NULL,
  `permission` varchar(255) DEFAULT NULL,
  `workspace` varchar(63) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_gw_secret_perm_workspace_user` (`workspace`,`secret_id`,`user_id`),
  KEY `fk_gateway_secret_perm_user_id` (`user_id`),
  CONSTRAINT `fk_gateway_secret_perm_user_id` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
CREATE TABLE `gateway_secret_regex_permissions` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `regex` varchar(255) NOT NULL,
  `priority` int(11) NOT NULL,
  `user_id` int(11) NOT NULL,
  `permission` varchar(255) DEFAULT NULL,
  `workspace` varchar(63) NOT NULL DEFAULT '*',
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_secret_user_regex_ws` (`regex`,`user_id`,`workspace`),
  KEY `fk_gateway_secret_regex_perm_user_id` (`user_id`),
  CONSTRAINT `fk_gateway_secret_regex_perm_user_id` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
CREATE TABLE `groups` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `group_name` varchar(255) NOT NULL,
  `external_id` varchar(255) DEFAULT NULL,
  `created_at` datetime DEFAULT NULL,
  `updated_at` datetime DEFAULT NULL,
  `managed_by` varchar(255) NOT NULL DEFAULT 'manual',
  PRIMARY KEY (`id`),
  UNIQUE KEY `group_name` (`group_name`),
  UNIQUE KEY `ix_groups_external_id` (`external_id`)
) ENGINE=InnoDB AUTO_INCREMENT=4 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `groups` VALUES (1,'red',NULL,'2026-11-26 08:44:06','2026-11-26 08:44:06','manual');
INSERT INTO `groups` VALUES (2,'blue',NULL,'2026-11-26 08:44:06','2026-11-26 08:44:06','manual');
INSERT INTO `groups` VALUES (3,'team-x-ds',NULL,'2026-11-26 08:44:06','2026-11-26 08:44:06','manual');
CREATE TABLE `mcp_server_group_permissions` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `name` varchar(256) NOT NULL,
  `group_id` int(11) NOT NULL,
  `permission` varchar(255) DEFAULT NULL,
  `workspace` varchar(63) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_mcp_server_group_perm_workspace_name_group` (`workspace`,`name`,`group_id`),
  KEY `fk_mcp_server_group_perm_group_id` (`group_id`),
  CONSTRAINT `fk_mcp_server_group_perm_group_id` FOREIGN KEY (`group_id`) REFERENCES `groups` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
CREATE TABLE `mcp_server_permissions` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `name` varchar(256) NOT NULL,
  `user_id` int(11) NOT NULL,
  `permission` varchar(255) DEFAULT NULL,
  `workspace` varchar(63) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_mcp_server_perm_workspace_name_user` (`workspace`,`name`,`user_id`),
  KEY `fk_mcp_server_perm_user_id` (`user_id`),
  CONSTRAINT `fk_mcp_server_perm_user_id` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=2 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `mcp_server_permissions` VALUES (1,'io.example/files',1,'READ','default');
CREATE TABLE `registered_model_group_permissions` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `name` varchar(255) NOT NULL,
  `group_id` int(11) NOT NULL,
  `permission` varchar(255) DEFAULT NULL,
  `prompt` tinyint(1) DEFAULT NULL,
  `workspace` varchar(63) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_rm_group_perm_workspace_name_group` (`workspace`,`name`,`group_id`),
  KEY `fk_group_id_registered_model_group_permissions` (`group_id`),
  CONSTRAINT `fk_group_id_registered_model_group_permissions` FOREIGN KEY (`group_id`) REFERENCES `groups` (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=3 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `registered_model_group_permissions` VALUES (1,'churn-eu',1,'READ',0,'default');
INSERT INTO `registered_model_group_permissions` VALUES (2,'greet',1,'EDIT',1,'default');
CREATE TABLE `registered_model_group_regex_permissions` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `regex` varchar(255) NOT NULL,
  `priority` int(11) NOT NULL,
  `group_id` int(11) NOT NULL,
  `permission` varchar(255) DEFAULT NULL,
  `prompt` tinyint(1) DEFAULT NULL,
  `workspace` varchar(63) NOT NULL DEFAULT '*',
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_name_group_regex_ws` (`regex`,`group_id`,`prompt`,`workspace`),
  KEY `fk_group_id_registered_model_group_regex_permissions` (`group_id`),
  CONSTRAINT `fk_group_id_registered_model_group_regex_permissions` FOREIGN KEY (`group_id`) REFERENCES `groups` (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=3 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `registered_model_group_regex_permissions` VALUES (1,'eu-.*',10,1,'READ',0,'*');
INSERT INTO `registered_model_group_regex_permissions` VALUES (2,'^p',5,1,'READ',1,'*');
CREATE TABLE `registered_model_permissions` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `name` varchar(255) NOT NULL,
  `user_id` int(11) NOT NULL,
  `permission` varchar(255) DEFAULT NULL,
  `workspace` varchar(63) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_rm_perm_workspace_name_user` (`workspace`,`name`,`user_id`),
  KEY `fk_user_id_registered_model_permissions` (`user_id`),
  CONSTRAINT `fk_user_id_registered_model_permissions` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=2 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `registered_model_permissions` VALUES (1,'churn',1,'MANAGE','default');
CREATE TABLE `registered_model_regex_permissions` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `regex` varchar(255) NOT NULL,
  `priority` int(11) NOT NULL,
  `user_id` int(11) NOT NULL,
  `permission` varchar(255) DEFAULT NULL,
  `prompt` tinyint(1) DEFAULT NULL,
  `workspace` varchar(63) NOT NULL DEFAULT '*',
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_name_user_regex_ws` (`regex`,`user_id`,`prompt`,`workspace`),
  KEY `fk_user_id_registered_model_regex_permissions` (`user_id`),
  CONSTRAINT `fk_user_id_registered_model_regex_permissions` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=2 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `registered_model_regex_permissions` VALUES (1,'^g',5,1,'EDIT',1,'*');
CREATE TABLE `saml_assertions` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `assertion_id` varchar(255) NOT NULL,
  `provider_id` varchar(255) NOT NULL,
  `not_on_or_after` datetime NOT NULL,
  `created_at` datetime NOT NULL DEFAULT current_timestamp(),
  PRIMARY KEY (`id`),
  UNIQUE KEY `ix_saml_assertions_assertion_id` (`assertion_id`),
  KEY `ix_saml_assertions_not_on_or_after` (`not_on_or_after`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
CREATE TABLE `scim_activity` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `at` datetime NOT NULL,
  `token_id` int(11) DEFAULT NULL,
  `token_name` varchar(255) DEFAULT NULL,
  `method` varchar(16) NOT NULL,
  `path` varchar(255) NOT NULL,
  `resource_id` varchar(255) DEFAULT NULL,
  `status` int(11) NOT NULL,
  `outcome` varchar(16) NOT NULL,
  `error` varchar(500) DEFAULT NULL,
  `duration_ms` int(11) DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY `ix_scim_activity_at` (`at`),
  KEY `ix_scim_activity_token_id_at` (`token_id`,`at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
CREATE TABLE `scim_tokens` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `name` varchar(255) NOT NULL,
  `token_hash` varchar(255) NOT NULL,
  `token_prefix` varchar(32) NOT NULL,
  `created_at` datetime NOT NULL DEFAULT current_timestamp(),
  `created_by` varchar(255) DEFAULT NULL,
  `last_used_at` datetime DEFAULT NULL,
  `expires_at` datetime DEFAULT NULL,
  `revoked_at` datetime DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_scim_tokens_name` (`name`),
  UNIQUE KEY `ix_scim_tokens_token_prefix` (`token_prefix`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
CREATE TABLE `scorer_group_permissions` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `experiment_id` varchar(255) NOT NULL,
  `scorer_name` varchar(256) NOT NULL,
  `group_id` int(11) NOT NULL,
  `permission` varchar(255) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `unique_scorer_group` (`experiment_id`,`scorer_name`,`group_id`),
  KEY `fk_scorer_group_perm_group_id` (`group_id`),
  CONSTRAINT `fk_scorer_group_perm_group_id` FOREIGN KEY (`group_id`) REFERENCES `groups` (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=2 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `scorer_group_permissions` VALUES (1,'2','tone',1,'READ');
CREATE TABLE `scorer_group_regex_permissions` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `regex` varchar(255) NOT NULL,
  `priority` int(11) NOT NULL,
  `group_id` int(11) NOT NULL,
  `permission` varchar(255) DEFAULT NULL,
  `workspace` varchar(63) NOT NULL DEFAULT '*',
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_scorer_group_regex_ws` (`regex`,`group_id`,`workspace`),
  KEY `fk_scorer_group_regex_perm_group_id` (`group_id`),
  CONSTRAINT `fk_scorer_group_regex_perm_group_id` FOREIGN KEY (`group_id`) REFERENCES `groups` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
CREATE TABLE `scorer_permissions` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `experiment_id` varchar(255) NOT NULL,
  `scorer_name` varchar(256) NOT NULL,
  `user_id` int(11) NOT NULL,
  `permission` varchar(255) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `unique_scorer_user` (`experiment_id`,`scorer_name`,`user_id`),
  KEY `fk_scorer_perm_user_id` (`user_id`),
  CONSTRAINT `fk_scorer_perm_user_id` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=2 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `scorer_permissions` VALUES (1,'1','tone/of voice',1,'EDIT');
CREATE TABLE `scorer_regex_permissions` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `regex` varchar(255) NOT NULL,
  `priority` int(11) NOT NULL,
  `user_id` int(11) NOT NULL,
  `permission` varchar(255) DEFAULT NULL,
  `workspace` varchar(63) NOT NULL DEFAULT '*',
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_scorer_user_regex_ws` (`regex`,`user_id`,`workspace`),
  KEY `fk_scorer_regex_perm_user_id` (`user_id`),
  CONSTRAINT `fk_scorer_regex_perm_user_id` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=2 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `scorer_regex_permissions` VALUES (1,'^s',5,1,'READ','*');
CREATE TABLE `user_groups` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `user_id` int(11) NOT NULL,
  `group_id` int(11) NOT NULL,
  `managed_by` varchar(255) NOT NULL DEFAULT 'manual',
  PRIMARY KEY (`id`),
  UNIQUE KEY `unique_user_group` (`user_id`,`group_id`),
  KEY `fk_group_id_user_groups` (`group_id`),
  CONSTRAINT `fk_group_id_user_groups` FOREIGN KEY (`group_id`) REFERENCES `groups` (`id`),
  CONSTRAINT `fk_user_id_user_groups` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=5 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `user_groups` VALUES (1,1,1,'manual');
INSERT INTO `user_groups` VALUES (2,3,1,'manual');
INSERT INTO `user_groups` VALUES (3,3,2,'manual');
INSERT INTO `user_groups` VALUES (4,4,2,'manual');
CREATE TABLE `user_identities` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `provider_id` varchar(255) NOT NULL,
  `subject` varchar(255) NOT NULL,
  `user_id` int(11) NOT NULL,
  `created_at` datetime NOT NULL DEFAULT current_timestamp(),
  `last_login_at` datetime DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_user_identities_provider_subject` (`provider_id`,`subject`),
  KEY `ix_user_identities_user_id` (`user_id`),
  CONSTRAINT `fk_user_identities_user_id` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=2 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `user_identities` VALUES (1,'default','subject-of-ann',1,'2026-11-26 08:44:06',NULL);
CREATE TABLE `user_tokens` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `user_id` int(11) NOT NULL,
  `name` varchar(255) NOT NULL,
  `token_prefix` varchar(32) DEFAULT NULL,
  `token_hash` varchar(255) NOT NULL,
  `created_at` datetime NOT NULL,
  `created_by` varchar(255) DEFAULT NULL,
  `expires_at` datetime NOT NULL,
  `last_used_at` datetime DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_user_tokens_user_id_name` (`user_id`,`name`),
  UNIQUE KEY `ix_user_tokens_token_prefix` (`token_prefix`),
  CONSTRAINT `fk_user_tokens_user_id` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`) ON DELETE CASCADE
) ENGINE=InnoDB AUTO_INCREMENT=3 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `user_tokens` VALUES (1,1,'laptop','843476b6','pbkdf2:sha256:1000$UhkwwMLX6DplmtvZ$e908998b8fd66a9132a095ee5dc00de30a0c29adb660de60c993f357c2a91039','2026-11-26 08:44:06','an-admin','2099-01-01 00:00:00',NULL);
INSERT INTO `user_tokens` VALUES (2,4,'laptop','55180a8e','pbkdf2:sha256:1000$xOggmGSfbaI9GKNl$1d396bb4dd8815b70741262948d41332539a20aa29b9cd2b377e4f805c8fa9b4','2026-11-26 08:44:06','an-admin','2099-01-01 00:00:00',NULL);
CREATE TABLE `users` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `username` varchar(255) DEFAULT NULL,
  `display_name` varchar(255) DEFAULT NULL,
  `is_admin` tinyint(1) DEFAULT NULL,
  `is_service_account` tinyint(1) DEFAULT NULL,
  `active` tinyint(1) NOT NULL DEFAULT 1,
  `managed_by` varchar(255) NOT NULL DEFAULT 'manual',
  `external_id` varchar(255) DEFAULT NULL,
  `created_at` datetime DEFAULT NULL,
  `updated_at` datetime DEFAULT NULL,
  `service_account_source` varchar(255) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `username` (`username`),
  UNIQUE KEY `ix_users_external_id` (`external_id`)
) ENGINE=InnoDB AUTO_INCREMENT=5 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `users` VALUES (1,'ann','Ann',0,0,1,'manual',NULL,'2026-11-26 08:44:06','2026-11-26 08:44:06',NULL);
INSERT INTO `users` VALUES (2,'bob@example.com','Bob@Example.Com',1,0,1,'manual',NULL,'2026-11-26 08:44:06','2026-11-26 08:44:06',NULL);
INSERT INTO `users` VALUES (3,'cyd','Cyd',0,0,0,'manual',NULL,'2026-11-26 08:44:06','2026-11-26 08:44:06',NULL);
INSERT INTO `users` VALUES (4,'job','Job',0,1,1,'manual',NULL,'2026-11-26 08:44:06','2026-11-26 08:44:06','internal');
CREATE TABLE `workspace_group_permissions` (
  `workspace` varchar(255) NOT NULL,
  `group_id` int(11) NOT NULL,
  `permission` varchar(255) NOT NULL,
  `rule_id` int(11) DEFAULT NULL,
  PRIMARY KEY (`workspace`,`group_id`),
  KEY `fk_workspace_group_perm_group_id` (`group_id`),
  KEY `ix_workspace_group_permissions_rule_id` (`rule_id`),
  CONSTRAINT `fk_workspace_group_perm_group_id` FOREIGN KEY (`group_id`) REFERENCES `groups` (`id`),
  CONSTRAINT `fk_workspace_group_permissions_rule_id` FOREIGN KEY (`rule_id`) REFERENCES `workspace_group_rules` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `workspace_group_permissions` VALUES ('team-b',1,'USE',NULL);
INSERT INTO `workspace_group_permissions` VALUES ('x',3,'EDIT',1);
CREATE TABLE `workspace_group_regex_permissions` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `regex` varchar(255) NOT NULL,
  `priority` int(11) NOT NULL,
  `group_id` int(11) NOT NULL,
  `permission` varchar(255) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_workspace_regex_group` (`regex`,`group_id`),
  KEY `fk_workspace_group_regex_perm_group_id` (`group_id`),
  CONSTRAINT `fk_workspace_group_regex_perm_group_id` FOREIGN KEY (`group_id`) REFERENCES `groups` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
CREATE TABLE `workspace_group_rules` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `name` varchar(255) NOT NULL,
  `pattern` varchar(256) NOT NULL,
  `permission` varchar(255) NOT NULL,
  `mode` varchar(16) NOT NULL,
  `enabled` tinyint(1) NOT NULL,
  `created_by` varchar(255) DEFAULT NULL,
  `created_at` datetime NOT NULL,
  `updated_at` datetime NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_workspace_group_rules_name` (`name`)
) ENGINE=InnoDB AUTO_INCREMENT=2 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `workspace_group_rules` VALUES (1,'teams','team-(?P<ws>[a-z0-9]+)-ds','EDIT','enforce',1,'an-admin','2026-11-26 08:44:06','2026-11-26 08:44:06');
CREATE TABLE `workspace_permissions` (
  `workspace` varchar(255) NOT NULL,
  `user_id` int(11) NOT NULL,
  `permission` varchar(255) NOT NULL,
  PRIMARY KEY (`workspace`,`user_id`),
  KEY `fk_workspace_perm_user_id` (`user_id`),
  CONSTRAINT `fk_workspace_perm_user_id` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `workspace_permissions` VALUES ('team-a',1,'EDIT');
CREATE TABLE `workspace_regex_permissions` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `regex` varchar(255) NOT NULL,
  `priority` int(11) NOT NULL,
  `user_id` int(11) NOT NULL,
  `permission` varchar(255) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `uq_workspace_regex_user` (`regex`,`user_id`),
  KEY `fk_workspace_regex_perm_user_id` (`user_id`),
  CONSTRAINT `fk_workspace_regex_perm_user_id` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=2 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `workspace_regex_permissions` VALUES (1,'^team-c',5,1,'READ');

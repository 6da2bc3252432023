-- What test/predecessors/server.py has made of basic-auth-3.17.2.sql.
CREATE TABLE public.alembic_version_auth (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.experiment_permissions (
    id integer NOT NULL,
    experiment_id character varying(255) NOT NULL,
    user_id integer NOT NULL,
    permission character varying(255)
);
CREATE SEQUENCE public.experiment_permissions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.experiment_permissions_id_seq OWNED BY public.experiment_permissions.id;
CREATE TABLE public.gateway_endpoint_permissions (
    id integer NOT NULL,
    endpoint_id character varying(255) NOT NULL,
    user_id integer NOT NULL,
    permission character varying(255)
);
CREATE SEQUENCE public.gateway_endpoint_permissions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.gateway_endpoint_permissions_id_seq OWNED BY public.gateway_endpoint_permissions.id;
CREATE TABLE public.gateway_model_definition_permissions (
    id integer NOT NULL,
    model_definition_id character varying(255) NOT NULL,
    user_id integer NOT NULL,
    permission character varying(255)
);
CREATE SEQUENCE public.gateway_model_definition_permissions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.gateway_model_definition_permissions_id_seq OWNED BY public.gateway_model_definition_permissions.id;
CREATE TABLE public.gateway_secret_permissions (
    id integer NOT NULL,
    secret_id character varying(255) NOT NULL,
    user_id integer NOT NULL,
    permission character varying(255)
);
CREATE SEQUENCE public.gateway_secret_permissions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.gateway_secret_permissions_id_seq OWNED BY public.gateway_secret_permissions.id;
CREATE TABLE public.registered_model_permissions (
    id integer NOT NULL,
    name character varying(255) NOT NULL,
    user_id integer NOT NULL,
    permission character varying(255),
    workspace character varying(63) DEFAULT 'default'::character varying NOT NULL
);
CREATE SEQUENCE public.registered_model_permissions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.registered_model_permissions_id_seq OWNED BY public.registered_model_permissions.id;
CREATE TABLE public.role_permissions (
    id integer NOT NULL,
    role_id integer NOT NULL,
    resource_type character varying(64) NOT NULL,
    resource_pattern character varying(255) NOT NULL,
    permission character varying(255) NOT NULL
);
CREATE SEQUENCE public.role_permissions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.role_permissions_id_seq OWNED BY public.role_permissions.id;
CREATE TABLE public.roles (
    id integer NOT NULL,
    name character varying(255) NOT NULL,
    workspace character varying(63) NOT NULL,
    description character varying(1024)
);
CREATE SEQUENCE public.roles_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.roles_id_seq OWNED BY public.roles.id;
CREATE TABLE public.scorer_permissions (
    id integer NOT NULL,
    experiment_id character varying(255) NOT NULL,
    scorer_name character varying(256) NOT NULL,
    user_id integer NOT NULL,
    permission character varying(255)
);
CREATE SEQUENCE public.scorer_permissions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.scorer_permissions_id_seq OWNED BY public.scorer_permissions.id;
CREATE TABLE public.user_role_assignments (
    id integer NOT NULL,
    user_id integer NOT NULL,
    role_id integer NOT NULL
);
CREATE SEQUENCE public.user_role_assignments_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.user_role_assignments_id_seq OWNED BY public.user_role_assignments.id;
CREATE TABLE public.users (
    id integer NOT NULL,
    username character varying(255),
    password_hash character varying(255),
    is_admin boolean
);
CREATE SEQUENCE public.users_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.users_id_seq OWNED BY public.users.id;
CREATE TABLE public.workspace_permissions (
    workspace character varying(63) NOT NULL,
    user_id integer NOT NULL,
    permission character varying(32) NOT NULL
);
ALTER TABLE ONLY public.experiment_permissions ALTER COLUMN id SET DEFAULT nextval('public.experiment_permissions_id_seq'::regclass);
ALTER TABLE ONLY public.gateway_endpoint_permissions ALTER COLUMN id SET DEFAULT nextval('public.gateway_endpoint_permissions_id_seq'::regclass);
ALTER TABLE ONLY public.gateway_model_definition_permissions ALTER COLUMN id SET DEFAULT nextval('public.gateway_model_definition_permissions_id_seq'::regclass);
ALTER TABLE ONLY public.gateway_secret_permissions ALTER COLUMN id SET DEFAULT nextval('public.gateway_secret_permissions_id_seq'::regclass);
ALTER TABLE ONLY public.registered_model_permissions ALTER COLUMN id SET DEFAULT nextval('public.registered_model_permissions_id_seq'::regclass);
ALTER TABLE ONLY public.role_permissions ALTER COLUMN id SET DEFAULT nextval('public.role_permissions_id_seq'::regclass);
ALTER TABLE ONLY public.roles ALTER COLUMN id SET DEFAULT nextval('public.roles_id_seq'::regclass);
ALTER TABLE ONLY public.scorer_permissions ALTER COLUMN id SET DEFAULT nextval('public.scorer_permissions_id_seq'::regclass);
ALTER TABLE ONLY public.user_role_assignments ALTER COLUMN id SET DEFAULT nextval('public.user_role_assignments_id_seq'::regclass);
ALTER TABLE ONLY public.users ALTER COLUMN id SET DEFAULT nextval('public.users_id_seq'::regclass);
INSERT INTO public.alembic_version_auth VALUES ('f1a2b3c4d5e6');
INSERT INTO public.role_permissions VALUES (1, 1, 'experiment', '1', 'EDIT');
INSERT INTO public.role_permissions VALUES (2, 1, 'experiment', '4', 'DENY');
INSERT INTO public.role_permissions VALUES (3, 1, 'registered_model', 'churn', 'MANAGE');
INSERT INTO public.role_permissions VALUES (4, 1, 'prompt', 'greet', 'READ');
INSERT INTO public.role_permissions VALUES (5, 1, 'scorer', '1/tone%2Fof%20voice', 'EDIT');
INSERT INTO public.role_permissions VALUES (6, 1, 'gateway_endpoint', 'e-123', 'USE');
INSERT INTO public.role_permissions VALUES (7, 1, 'gateway_secret', 's-123', 'DENY');
INSERT INTO public.role_permissions VALUES (8, 1, 'run', '*', 'READ');
INSERT INTO public.role_permissions VALUES (9, 2, 'experiment', '*', 'READ');
INSERT INTO public.role_permissions VALUES (10, 2, 'registered_model', 'secret', 'DENY');
INSERT INTO public.role_permissions VALUES (11, 3, 'workspace', '*', 'MANAGE');
INSERT INTO public.roles VALUES (1, '__user_3__', 'default', NULL);
INSERT INTO public.roles VALUES (2, 'team', 'default', 'who may read');
INSERT INTO public.roles VALUES (3, 'admin', 'team-a', NULL);
INSERT INTO public.user_role_assignments VALUES (1, 3, 1);
INSERT INTO public.user_role_assignments VALUES (2, 4, 2);
INSERT INTO public.user_role_assignments VALUES (3, 4, 3);
INSERT INTO public.users VALUES (1, 'admin', 'scrypt:32768:8:1$PT0wPb5QPzdwbU85$bdb5c53c3739a3d56f009f5eb3b828778f6fa53741bf4b9e67fd9cda65bf2757e0f4ce5455866c1dfa0f9d7db993f0ccbb6ed15a6acd2bad83391e12612f0eb6', true);
INSERT INTO public.users VALUES (2, 'root', 'scrypt:32768:8:1$e3ARF4A6s4xR9Jq0$7e0f96f5b212015bba410cbeaf42faa35b07ed89d6d55354a0a51c86e146f07c9878a34c7cc2343c99d94190b63e3424df3851d4004ad1b4021f8172f5d5156c', true);
INSERT INTO public.users VALUES (3, 'Ann', 'scrypt:32768:8:1$eGlQRQ4TmJjzjvwC$4c3fce39286626bcc4cdebd077ff098f5618fc1fe1b310d189b7528c3216ccec3cc9b53b9611d0892b303acd4830b0156cdb656e052329cb775a5e8929b4c56c', false);
INSERT INTO public.users VALUES (4, 'bob', 'scrypt:32768:8:1$ajYDDhrFMwwa7ipg$46e4aab5b84c68733450b68893dcfd9b2b4a15a8d96f1b9dc630f9e355101ba444422c3fe02c41cac49a48fe89021e26149897c9a69432af4374d713d8163494', false);
SELECT pg_catalog.setval('public.experiment_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.gateway_endpoint_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.gateway_model_definition_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.gateway_secret_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.registered_model_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.role_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.roles_id_seq', 1, false);
SELECT pg_catalog.setval('public.scorer_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.user_role_assignments_id_seq', 1, false);
SELECT pg_catalog.setval('public.users_id_seq', 1, false);
ALTER TABLE ONLY public.alembic_version_auth
    ADD CONSTRAINT alembic_version_auth_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.experiment_permissions
    ADD CONSTRAINT experiment_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.gateway_endpoint_permissions
    ADD CONSTRAINT gateway_endpoint_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.gateway_model_definition_permissions
    ADD CONSTRAINT gateway_model_definition_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.gateway_secret_permissions
    ADD CONSTRAINT gateway_secret_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.registered_model_permissions
    ADD CONSTRAINT registered_model_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.role_permissions
    ADD CONSTRAINT role_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.roles
    ADD CONSTRAINT roles_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.scorer_permissions
    ADD CONSTRAINT scorer_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.gateway_endpoint_permissions
    ADD CONSTRAINT unique_endpoint_user UNIQUE (endpoint_id, user_id);
ALTER TABLE ONLY public.experiment_permissions
    ADD CONSTRAINT unique_experiment_user UNIQUE (experiment_id, user_id);
ALTER TABLE ONLY public.gateway_model_definition_permissions
    ADD CONSTRAINT unique_model_def_user UNIQUE (model_definition_id, user_id);
ALTER TABLE ONLY public.role_permissions
    ADD CONSTRAINT unique_role_resource_perm UNIQUE (role_id, resource_type, resource_pattern);
ALTER TABLE ONLY public.scorer_permissions
    ADD CONSTRAINT unique_scorer_user UNIQUE (experiment_id, scorer_name, user_id);
ALTER TABLE ONLY public.gateway_secret_permissions
    ADD CONSTRAINT unique_secret_user UNIQUE (secret_id, user_id);
ALTER TABLE ONLY public.user_role_assignments
    ADD CONSTRAINT unique_user_role UNIQUE (user_id, role_id);
ALTER TABLE ONLY public.registered_model_permissions
    ADD CONSTRAINT unique_workspace_name_user UNIQUE (workspace, name, user_id);
ALTER TABLE ONLY public.roles
    ADD CONSTRAINT unique_workspace_role_name UNIQUE (workspace, name);
ALTER TABLE ONLY public.user_role_assignments
    ADD CONSTRAINT user_role_assignments_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_username_key UNIQUE (username);
ALTER TABLE ONLY public.workspace_permissions
    ADD CONSTRAINT workspace_permissions_pk PRIMARY KEY (workspace, user_id);
CREATE INDEX idx_role_permissions_role_id ON public.role_permissions USING btree (role_id);
CREATE INDEX idx_roles_workspace ON public.roles USING btree (workspace);
CREATE INDEX idx_user_role_assignments_role_id ON public.user_role_assignments USING btree (role_id);
CREATE INDEX idx_user_role_assignments_user_id ON public.user_role_assignments USING btree (user_id);
CREATE INDEX idx_workspace_permissions_user_id ON public.workspace_permissions USING btree (user_id);
CREATE INDEX idx_workspace_permissions_workspace ON public.workspace_permissions USING btree (workspace);
ALTER TABLE ONLY public.gateway_endpoint_permissions
    ADD CONSTRAINT fk_gateway_endpoint_perm_user_id FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.gateway_model_definition_permissions
    ADD CONSTRAINT fk_gateway_model_def_perm_user_id FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.gateway_secret_permissions
    ADD CONSTRAINT fk_gateway_secret_perm_user_id FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.scorer_permissions
    ADD CONSTRAINT fk_scorer_perm_user_id FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.experiment_permissions
    ADD CONSTRAINT fk_user_id FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.registered_model_permissions
    ADD CONSTRAINT fk_user_id FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.role_permissions
    ADD CONSTRAINT role_permissions_role_id_fkey FOREIGN KEY (role_id) REFERENCES public.roles(id);
ALTER TABLE ONLY public.user_role_assignments
    ADD CONSTRAINT user_role_assignments_role_id_fkey FOREIGN KEY (role_id) REFERENCES public.roles(id);
ALTER TABLE ONLY public.user_role_assignments
    ADD CONSTRAINT user_role_assignments_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.workspace_permissions
    ADD CONSTRAINT workspace_permissions_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);

-- What test/predecessors/server.py has made of plugin-5.7.0.sql.
CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.experiment_group_permissions (
    id integer NOT NULL,
    experiment_id character varying(255) NOT NULL,
    group_id integer NOT NULL,
    permission character varying(255)
);
CREATE SEQUENCE public.experiment_group_permissions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.experiment_group_permissions_id_seq OWNED BY public.experiment_group_permissions.id;
CREATE TABLE public.experiment_group_regex_permissions (
    id integer NOT NULL,
    regex character varying(255) NOT NULL,
    priority integer NOT NULL,
    group_id integer NOT NULL,
    permission character varying(255)
);
CREATE SEQUENCE public.experiment_group_regex_permissions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.experiment_group_regex_permissions_id_seq OWNED BY public.experiment_group_regex_permissions.id;
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
CREATE TABLE public.experiment_regex_permissions (
    id integer NOT NULL,
    regex character varying(255) NOT NULL,
    priority integer NOT NULL,
    user_id integer NOT NULL,
    permission character varying(255)
);
CREATE SEQUENCE public.experiment_regex_permissions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.experiment_regex_permissions_id_seq OWNED BY public.experiment_regex_permissions.id;
CREATE TABLE public.groups (
    id integer NOT NULL,
    group_name character varying(255) NOT NULL
);
CREATE SEQUENCE public.groups_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.groups_id_seq OWNED BY public.groups.id;
CREATE TABLE public.registered_model_group_permissions (
    id integer NOT NULL,
    name character varying(255) NOT NULL,
    group_id integer NOT NULL,
    permission character varying(255),
    prompt boolean
);
CREATE SEQUENCE public.registered_model_group_permissions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.registered_model_group_permissions_id_seq OWNED BY public.registered_model_group_permissions.id;
CREATE TABLE public.registered_model_group_regex_permissions (
    id integer NOT NULL,
    regex character varying(255) NOT NULL,
    priority integer NOT NULL,
    group_id integer NOT NULL,
    permission character varying(255),
    prompt boolean
);
CREATE SEQUENCE public.registered_model_group_regex_permissions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.registered_model_group_regex_permissions_id_seq OWNED BY public.registered_model_group_regex_permissions.id;
CREATE TABLE public.registered_model_permissions (
    id integer NOT NULL,
    name character varying(255) NOT NULL,
    user_id integer NOT NULL,
    permission character varying(255)
);
CREATE SEQUENCE public.registered_model_permissions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.registered_model_permissions_id_seq OWNED BY public.registered_model_permissions.id;
CREATE TABLE public.registered_model_regex_permissions (
    id integer NOT NULL,
    regex character varying(255) NOT NULL,
    priority integer NOT NULL,
    user_id integer NOT NULL,
    permission character varying(255),
    prompt boolean
);
CREATE SEQUENCE public.registered_model_regex_permissions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.registered_model_regex_permissions_id_seq OWNED BY public.registered_model_regex_permissions.id;
CREATE TABLE public.user_groups (
    id integer NOT NULL,
    user_id integer NOT NULL,
    group_id integer NOT NULL
);
CREATE SEQUENCE public.user_groups_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.user_groups_id_seq OWNED BY public.user_groups.id;
CREATE TABLE public.users (
    id integer NOT NULL,
    username character varying(255),
    display_name character varying(255),
    password_hash character varying(255),
    is_admin boolean,
    is_service_account boolean,
    password_expiration timestamp without time zone
);
CREATE SEQUENCE public.users_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.users_id_seq OWNED BY public.users.id;
ALTER TABLE ONLY public.experiment_group_permissions ALTER COLUMN id SET DEFAULT nextval('public.experiment_group_permissions_id_seq'::regclass);
ALTER TABLE ONLY public.experiment_group_regex_permissions ALTER COLUMN id SET DEFAULT nextval('public.experiment_group_regex_permissions_id_seq'::regclass);
ALTER TABLE ONLY public.experiment_permissions ALTER COLUMN id SET DEFAULT nextval('public.experiment_permissions_id_seq'::regclass);
ALTER TABLE ONLY public.experiment_regex_permissions ALTER COLUMN id SET DEFAULT nextval('public.experiment_regex_permissions_id_seq'::regclass);
ALTER TABLE ONLY public.groups ALTER COLUMN id SET DEFAULT nextval('public.groups_id_seq'::regclass);
ALTER TABLE ONLY public.registered_model_group_permissions ALTER COLUMN id SET DEFAULT nextval('public.registered_model_group_permissions_id_seq'::regclass);
ALTER TABLE ONLY public.registered_model_group_regex_permissions ALTER COLUMN id SET DEFAULT nextval('public.registered_model_group_regex_permissions_id_seq'::regclass);
ALTER TABLE ONLY public.registered_model_permissions ALTER COLUMN id SET DEFAULT nextval('public.registered_model_permissions_id_seq'::regclass);
ALTER TABLE ONLY public.registered_model_regex_permissions ALTER COLUMN id SET DEFAULT nextval('public.registered_model_regex_permissions_id_seq'::regclass);
ALTER TABLE ONLY public.user_groups ALTER COLUMN id SET DEFAULT nextval('public.user_groups_id_seq'::regclass);
ALTER TABLE ONLY public.users ALTER COLUMN id SET DEFAULT nextval('public.users_id_seq'::regclass);
INSERT INTO public.alembic_version VALUES ('0565cf04c12e');
INSERT INTO public.experiment_group_permissions VALUES (1, '2', 1, 'READ');
INSERT INTO public.experiment_group_permissions VALUES (2, '3', 2, 'MANAGE');
INSERT INTO public.experiment_group_regex_permissions VALUES (1, '\w+-x', 5, 2, 'EDIT');
INSERT INTO public.experiment_permissions VALUES (1, '1', 1, 'EDIT');
INSERT INTO public.experiment_permissions VALUES (2, '4', 1, 'NO_PERMISSIONS');
INSERT INTO public.experiment_permissions VALUES (3, '5', 1, NULL);
INSERT INTO public.experiment_permissions VALUES (4, '6', 1, 'OWNER');
INSERT INTO public.experiment_regex_permissions VALUES (1, '^ann-.*', 10, 1, 'MANAGE');
INSERT INTO public.experiment_regex_permissions VALUES (2, '^(?!secret).*', 20, 1, 'READ');
INSERT INTO public.groups VALUES (1, 'red');
INSERT INTO public.groups VALUES (2, 'blue');
INSERT INTO public.groups VALUES (3, 'team-x-ds');
INSERT INTO public.registered_model_group_permissions VALUES (1, 'churn-eu', 1, 'READ', false);
INSERT INTO public.registered_model_group_permissions VALUES (2, 'greet', 1, 'EDIT', true);
INSERT INTO public.registered_model_group_regex_permissions VALUES (1, 'eu-.*', 10, 1, 'READ', false);
INSERT INTO public.registered_model_group_regex_permissions VALUES (2, '^p', 5, 1, 'READ', true);
INSERT INTO public.registered_model_permissions VALUES (1, 'churn', 1, 'MANAGE');
INSERT INTO public.registered_model_regex_permissions VALUES (1, '^g', 5, 1, 'EDIT', true);
INSERT INTO public.user_groups VALUES (1, 1, 1);
INSERT INTO public.user_groups VALUES (2, 3, 1);
INSERT INTO public.user_groups VALUES (3, 3, 2);
INSERT INTO public.user_groups VALUES (4, 4, 2);
INSERT INTO public.users VALUES (1, 'ann', 'Ann', 'scrypt:32768:8:1$fFT2FQFjuhKiZ7z0$7417cd94926cc2156741b7d25ed8c72e0c7d23d66b479bd073d851dbf457f42c4dbad28bcfe959c59fc020199b9c8fdb9bb2822d880f9a1b6af663875a0c3a51', false, false, '2099-01-01 00:00:00');
INSERT INTO public.users VALUES (2, 'Bob@example.com', 'Bob@Example.Com', 'scrypt:32768:8:1$t0ugEZFkVUWillrM$127dbcf2630d14a265afcf660bfb6c6078393aa1a44a7a1291b765760b860a9fb1db62d90cfb4d3e2e1d73a824dddf36971c4bdd6b7f47804e0e4f26356d4556', true, false, '2099-01-01 00:00:00');
INSERT INTO public.users VALUES (3, 'cyd', 'Cyd', 'scrypt:32768:8:1$Ok5GjqZ0gjGElcTp$f4d330ab0ed8639b25032e9bb0d83d90ac36bf3a934ac0ea748a34caa32fa8128ef24c23c5948c5e82799801dc0a924d30824e4f743713206dd72ed543803746', false, false, '2099-01-01 00:00:00');
INSERT INTO public.users VALUES (4, 'job', 'Job', 'scrypt:32768:8:1$2aDyCAxjD00r8i0l$7c602de85487a455cd1ed5281e49e4d42ab9f098df5b21abd95601100ca8aefffdf2da52e0e331a08323a13c7583c33d23dbf826097916074eec4276c89be7cf', false, true, NULL);
SELECT pg_catalog.setval('public.experiment_group_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.experiment_group_regex_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.experiment_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.experiment_regex_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.groups_id_seq', 1, false);
SELECT pg_catalog.setval('public.registered_model_group_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.registered_model_group_regex_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.registered_model_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.registered_model_regex_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.user_groups_id_seq', 1, false);
SELECT pg_catalog.setval('public.users_id_seq', 1, false);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.experiment_group_permissions
    ADD CONSTRAINT experiment_group_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.experiment_group_regex_permissions
    ADD CONSTRAINT experiment_group_regex_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.experiment_permissions
    ADD CONSTRAINT experiment_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.experiment_regex_permissions
    ADD CONSTRAINT experiment_regex_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.groups
    ADD CONSTRAINT groups_group_name_key UNIQUE (group_name);
ALTER TABLE ONLY public.groups
    ADD CONSTRAINT groups_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.registered_model_group_permissions
    ADD CONSTRAINT registered_model_group_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.registered_model_group_regex_permissions
    ADD CONSTRAINT registered_model_group_regex_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.registered_model_permissions
    ADD CONSTRAINT registered_model_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.registered_model_regex_permissions
    ADD CONSTRAINT registered_model_regex_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.experiment_group_permissions
    ADD CONSTRAINT unique_experiment_group UNIQUE (experiment_id, group_id);
ALTER TABLE ONLY public.experiment_group_regex_permissions
    ADD CONSTRAINT unique_experiment_group_regex UNIQUE (regex, group_id);
ALTER TABLE ONLY public.experiment_permissions
    ADD CONSTRAINT unique_experiment_user UNIQUE (experiment_id, user_id);
ALTER TABLE ONLY public.experiment_regex_permissions
    ADD CONSTRAINT unique_experiment_user_regex UNIQUE (regex, user_id);
ALTER TABLE ONLY public.registered_model_group_permissions
    ADD CONSTRAINT unique_name_group UNIQUE (name, group_id);
ALTER TABLE ONLY public.registered_model_group_regex_permissions
    ADD CONSTRAINT unique_name_group_regex UNIQUE (regex, group_id, prompt);
ALTER TABLE ONLY public.registered_model_permissions
    ADD CONSTRAINT unique_name_user UNIQUE (name, user_id);
ALTER TABLE ONLY public.registered_model_regex_permissions
    ADD CONSTRAINT unique_name_user_regex UNIQUE (regex, user_id, prompt);
ALTER TABLE ONLY public.user_groups
    ADD CONSTRAINT unique_user_group UNIQUE (user_id, group_id);
ALTER TABLE ONLY public.user_groups
    ADD CONSTRAINT user_groups_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_username_key UNIQUE (username);
ALTER TABLE ONLY public.experiment_group_permissions
    ADD CONSTRAINT fk_group_id_experiment_group_permissions FOREIGN KEY (group_id) REFERENCES public.groups(id);
ALTER TABLE ONLY public.experiment_group_regex_permissions
    ADD CONSTRAINT fk_group_id_experiment_group_regex_permissions FOREIGN KEY (group_id) REFERENCES public.groups(id);
ALTER TABLE ONLY public.registered_model_group_permissions
    ADD CONSTRAINT fk_group_id_registered_model_group_permissions FOREIGN KEY (group_id) REFERENCES public.groups(id);
ALTER TABLE ONLY public.registered_model_group_regex_permissions
    ADD CONSTRAINT fk_group_id_registered_model_group_regex_permissions FOREIGN KEY (group_id) REFERENCES public.groups(id);
ALTER TABLE ONLY public.user_groups
    ADD CONSTRAINT fk_group_id_user_groups FOREIGN KEY (group_id) REFERENCES public.groups(id);
ALTER TABLE ONLY public.experiment_permissions
    ADD CONSTRAINT fk_user_id_experiment_permissions FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.experiment_regex_permissions
    ADD CONSTRAINT fk_user_id_experiment_regex_permissions FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.registered_model_permissions
    ADD CONSTRAINT fk_user_id_registered_model_permissions FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.registered_model_regex_permissions
    ADD CONSTRAINT fk_user_id_registered_model_regex_permissions FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.user_groups
    ADD CONSTRAINT fk_user_id_user_groups FOREIGN KEY (user_id) REFERENCES public.users(id);

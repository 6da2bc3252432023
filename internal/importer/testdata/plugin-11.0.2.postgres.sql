-- What test/predecessors/server.py has made of plugin-11.0.2.sql.
CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.auth_sessions (
    id integer NOT NULL,
    session_id character varying(255) NOT NULL,
    user_id integer NOT NULL,
    provider_id character varying(255),
    created_at timestamp without time zone DEFAULT now() NOT NULL,
    last_seen_at timestamp without time zone,
    expires_at timestamp without time zone NOT NULL,
    revoked_at timestamp without time zone,
    encrypted_tokens text
);
CREATE SEQUENCE public.auth_sessions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.auth_sessions_id_seq OWNED BY public.auth_sessions.id;
CREATE TABLE public.auth_state (
    id integer NOT NULL,
    state character varying(255) NOT NULL,
    nonce character varying(255),
    code_verifier character varying(255),
    provider_id character varying(255),
    relay_state text,
    created_at timestamp without time zone DEFAULT now() NOT NULL,
    expires_at timestamp without time zone NOT NULL,
    binding_hash character varying(64)
);
CREATE SEQUENCE public.auth_state_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.auth_state_id_seq OWNED BY public.auth_state.id;
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
    permission character varying(255),
    workspace character varying(63) DEFAULT '*'::character varying NOT NULL
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
    permission character varying(255),
    workspace character varying(63) DEFAULT '*'::character varying NOT NULL
);
CREATE SEQUENCE public.experiment_regex_permissions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.experiment_regex_permissions_id_seq OWNED BY public.experiment_regex_permissions.id;
CREATE TABLE public.gateway_endpoint_group_permissions (
    id integer NOT NULL,
    endpoint_id character varying(255) NOT NULL,
    group_id integer NOT NULL,
    permission character varying(255),
    workspace character varying(63)
);
CREATE SEQUENCE public.gateway_endpoint_group_permissions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.gateway_endpoint_group_permissions_id_seq OWNED BY public.gateway_endpoint_group_permissions.id;
CREATE TABLE public.gateway_endpoint_group_regex_permissions (
    id integer NOT NULL,
    regex character varying(255) NOT NULL,
    priority integer NOT NULL,
    group_id integer NOT NULL,
    permission character varying(255),
    workspace character varying(63) DEFAULT '*'::character varying NOT NULL
);
CREATE SEQUENCE public.gateway_endpoint_group_regex_permissions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.gateway_endpoint_group_regex_permissions_id_seq OWNED BY public.gateway_endpoint_group_regex_permissions.id;
CREATE TABLE public.gateway_endpoint_permissions (
    id integer NOT NULL,
    endpoint_id character varying(255) NOT NULL,
    user_id integer NOT NULL,
    permission character varying(255),
    workspace character varying(63)
);
CREATE SEQUENCE public.gateway_endpoint_permissions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.gateway_endpoint_permissions_id_seq OWNED BY public.gateway_endpoint_permissions.id;
CREATE TABLE public.gateway_endpoint_regex_permissions (
    id integer NOT NULL,
    regex character varying(255) NOT NULL,
    priority integer NOT NULL,
    user_id integer NOT NULL,
    permission character varying(255),
    workspace character varying(63) DEFAULT '*'::character varying NOT NULL
);
CREATE SEQUENCE public.gateway_endpoint_regex_permissions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.gateway_endpoint_regex_permissions_id_seq OWNED BY public.gateway_endpoint_regex_permissions.id;
CREATE TABLE public.gateway_model_definition_group_permissions (
    id integer NOT NULL,
    model_definition_id character varying(255) NOT NULL,
    group_id integer NOT NULL,
    permission character varying(255),
    workspace character varying(63)
);
CREATE SEQUENCE public.gateway_model_definition_group_permissions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.gateway_model_definition_group_permissions_id_seq OWNED BY public.gateway_model_definition_group_permissions.id;
CREATE TABLE public.gateway_model_definition_group_regex_permissions (
    id integer NOT NULL,
    regex character varying(255) NOT NULL,
    priority integer NOT NULL,
    group_id integer NOT NULL,
    permission character varying(255),
    workspace character varying(63) DEFAULT '*'::character varying NOT NULL
);
CREATE SEQUENCE public.gateway_model_definition_group_regex_permissions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.gateway_model_definition_group_regex_permissions_id_seq OWNED BY public.gateway_model_definition_group_regex_permissions.id;
CREATE TABLE public.gateway_model_definition_permissions (
    id integer NOT NULL,
    model_definition_id character varying(255) NOT NULL,
    user_id integer NOT NULL,
    permission character varying(255),
    workspace character varying(63)
);
CREATE SEQUENCE public.gateway_model_definition_permissions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.gateway_model_definition_permissions_id_seq OWNED BY public.gateway_model_definition_permissions.id;
CREATE TABLE public.gateway_model_definition_regex_permissions (
    id integer NOT NULL,
    regex character varying(255) NOT NULL,
    priority integer NOT NULL,
    user_id integer NOT NULL,
    permission character varying(255),
    workspace character varying(63) DEFAULT '*'::character varying NOT NULL
);
CREATE SEQUENCE public.gateway_model_definition_regex_permissions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.gateway_model_definition_regex_permissions_id_seq OWNED BY public.gateway_model_definition_regex_permissions.id;
CREATE TABLE public.gateway_secret_group_permissions (
    id integer NOT NULL,
    secret_id character varying(255) NOT NULL,
    group_id integer NOT NULL,
    permission character varying(255),
    workspace character varying(63)
);
CREATE SEQUENCE public.gateway_secret_group_permissions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.gateway_secret_group_permissions_id_seq OWNED BY public.gateway_secret_group_permissions.id;
CREATE TABLE public.gateway_secret_group_regex_permissions (
    id integer NOT NULL,
    regex character varying(255) NOT NULL,
    priority integer NOT NULL,
    group_id integer NOT NULL,
    permission character varying(255),
    workspace character varying(63) DEFAULT '*'::character varying NOT NULL
);
CREATE SEQUENCE public.gateway_secret_group_regex_permissions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.gateway_secret_group_regex_permissions_id_seq OWNED BY public.gateway_secret_group_regex_permissions.id;
CREATE TABLE public.gateway_secret_permissions (
    id integer NOT NULL,
    secret_id character varying(255) NOT NULL,
    user_id integer NOT NULL,
    permission character varying(255),
    workspace character varying(63)
);
CREATE SEQUENCE public.gateway_secret_permissions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.gateway_secret_permissions_id_seq OWNED BY public.gateway_secret_permissions.id;
CREATE TABLE public.gateway_secret_regex_permissions (
    id integer NOT NULL,
    regex character varying(255) NOT NULL,
    priority integer NOT NULL,
    user_id integer NOT NULL,
    permission character varying(255),
    workspace character varying(63) DEFAULT '*'::character varying NOT NULL
);
CREATE SEQUENCE public.gateway_secret_regex_permissions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.gateway_secret_regex_permissions_id_seq OWNED BY public.gateway_secret_regex_permissions.id;
CREATE TABLE public.groups (
    id integer NOT NULL,
    group_name character varying(255) NOT NULL,
    external_id character varying(255),
    created_at timestamp without time zone,
    updated_at timestamp without time zone,
    managed_by character varying(255) DEFAULT 'manual'::character varying NOT NULL
);
CREATE SEQUENCE public.groups_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.groups_id_seq OWNED BY public.groups.id;
CREATE TABLE public.mcp_server_group_permissions (
    id integer NOT NULL,
    name character varying(256) NOT NULL,
    group_id integer NOT NULL,
    permission character varying(255),
    workspace character varying(63)
);
CREATE SEQUENCE public.mcp_server_group_permissions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.mcp_server_group_permissions_id_seq OWNED BY public.mcp_server_group_permissions.id;
CREATE TABLE public.mcp_server_permissions (
    id integer NOT NULL,
    name character varying(256) NOT NULL,
    user_id integer NOT NULL,
    permission character varying(255),
    workspace character varying(63)
);
CREATE SEQUENCE public.mcp_server_permissions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.mcp_server_permissions_id_seq OWNED BY public.mcp_server_permissions.id;
CREATE TABLE public.registered_model_group_permissions (
    id integer NOT NULL,
    name character varying(255) NOT NULL,
    group_id integer NOT NULL,
    permission character varying(255),
    prompt boolean,
    workspace character varying(63)
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
    prompt boolean,
    workspace character varying(63) DEFAULT '*'::character varying NOT NULL
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
    permission character varying(255),
    workspace character varying(63)
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
    prompt boolean,
    workspace character varying(63) DEFAULT '*'::character varying NOT NULL
);
CREATE SEQUENCE public.registered_model_regex_permissions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.registered_model_regex_permissions_id_seq OWNED BY public.registered_model_regex_permissions.id;
CREATE TABLE public.saml_assertions (
    id integer NOT NULL,
    assertion_id character varying(255) NOT NULL,
    provider_id character varying(255) NOT NULL,
    not_on_or_after timestamp without time zone NOT NULL,
    created_at timestamp without time zone DEFAULT now() NOT NULL
);
CREATE SEQUENCE public.saml_assertions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.saml_assertions_id_seq OWNED BY public.saml_assertions.id;
CREATE TABLE public.scim_activity (
    id integer NOT NULL,
    at timestamp without time zone NOT NULL,
    token_id integer,
    token_name character varying(255),
    method character varying(16) NOT NULL,
    path character varying(255) NOT NULL,
    resource_id character varying(255),
    status integer NOT NULL,
    outcome character varying(16) NOT NULL,
    error character varying(500),
    duration_ms integer
);
CREATE SEQUENCE public.scim_activity_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.scim_activity_id_seq OWNED BY public.scim_activity.id;
CREATE TABLE public.scim_tokens (
    id integer NOT NULL,
    name character varying(255) NOT NULL,
    token_hash character varying(255) NOT NULL,
    token_prefix character varying(32) NOT NULL,
    created_at timestamp without time zone DEFAULT now() NOT NULL,
    created_by character varying(255),
    last_used_at timestamp without time zone,
    expires_at timestamp without time zone,
    revoked_at timestamp without time zone
);
CREATE SEQUENCE public.scim_tokens_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.scim_tokens_id_seq OWNED BY public.scim_tokens.id;
CREATE TABLE public.scorer_group_permissions (
    id integer NOT NULL,
    experiment_id character varying(255) NOT NULL,
    scorer_name character varying(256) NOT NULL,
    group_id integer NOT NULL,
    permission character varying(255)
);
CREATE SEQUENCE public.scorer_group_permissions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.scorer_group_permissions_id_seq OWNED BY public.scorer_group_permissions.id;
CREATE TABLE public.scorer_group_regex_permissions (
    id integer NOT NULL,
    regex character varying(255) NOT NULL,
    priority integer NOT NULL,
    group_id integer NOT NULL,
    permission character varying(255),
    workspace character varying(63) DEFAULT '*'::character varying NOT NULL
);
CREATE SEQUENCE public.scorer_group_regex_permissions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.scorer_group_regex_permissions_id_seq OWNED BY public.scorer_group_regex_permissions.id;
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
CREATE TABLE public.scorer_regex_permissions (
    id integer NOT NULL,
    regex character varying(255) NOT NULL,
    priority integer NOT NULL,
    user_id integer NOT NULL,
    permission character varying(255),
    workspace character varying(63) DEFAULT '*'::character varying NOT NULL
);
CREATE SEQUENCE public.scorer_regex_permissions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.scorer_regex_permissions_id_seq OWNED BY public.scorer_regex_permissions.id;
CREATE TABLE public.user_groups (
    id integer NOT NULL,
    user_id integer NOT NULL,
    group_id integer NOT NULL,
    managed_by character varying(255) DEFAULT 'manual'::character varying NOT NULL
);
CREATE SEQUENCE public.user_groups_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.user_groups_id_seq OWNED BY public.user_groups.id;
CREATE TABLE public.user_identities (
    id integer NOT NULL,
    provider_id character varying(255) NOT NULL,
    subject character varying(255) NOT NULL,
    user_id integer NOT NULL,
    created_at timestamp without time zone DEFAULT now() NOT NULL,
    last_login_at timestamp without time zone
);
CREATE SEQUENCE public.user_identities_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.user_identities_id_seq OWNED BY public.user_identities.id;
CREATE TABLE public.user_tokens (
    id integer NOT NULL,
    user_id integer NOT NULL,
    name character varying(255) NOT NULL,
    token_prefix character varying(32),
    token_hash character varying(255) NOT NULL,
    created_at timestamp without time zone NOT NULL,
    created_by character varying(255),
    expires_at timestamp without time zone NOT NULL,
    last_used_at timestamp without time zone
);
CREATE SEQUENCE public.user_tokens_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.user_tokens_id_seq OWNED BY public.user_tokens.id;
CREATE TABLE public.users (
    id integer NOT NULL,
    username character varying(255),
    display_name character varying(255),
    is_admin boolean,
    is_service_account boolean,
    active boolean DEFAULT true NOT NULL,
    managed_by character varying(255) DEFAULT 'manual'::character varying NOT NULL,
    external_id character varying(255),
    created_at timestamp without time zone,
    updated_at timestamp without time zone,
    service_account_source character varying(255)
);
CREATE SEQUENCE public.users_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.users_id_seq OWNED BY public.users.id;
CREATE TABLE public.workspace_group_permissions (
    workspace character varying(255) NOT NULL,
    group_id integer NOT NULL,
    permission character varying(255) NOT NULL,
    rule_id integer
);
CREATE TABLE public.workspace_group_regex_permissions (
    id integer NOT NULL,
    regex character varying(255) NOT NULL,
    priority integer NOT NULL,
    group_id integer NOT NULL,
    permission character varying(255) NOT NULL
);
CREATE SEQUENCE public.workspace_group_regex_permissions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.workspace_group_regex_permissions_id_seq OWNED BY public.workspace_group_regex_permissions.id;
CREATE TABLE public.workspace_group_rules (
    id integer NOT NULL,
    name character varying(255) NOT NULL,
    pattern character varying(256) NOT NULL,
    permission character varying(255) NOT NULL,
    mode character varying(16) NOT NULL,
    enabled boolean NOT NULL,
    created_by character varying(255),
    created_at timestamp without time zone NOT NULL,
    updated_at timestamp without time zone NOT NULL
);
CREATE SEQUENCE public.workspace_group_rules_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.workspace_group_rules_id_seq OWNED BY public.workspace_group_rules.id;
CREATE TABLE public.workspace_permissions (
    workspace character varying(255) NOT NULL,
    user_id integer NOT NULL,
    permission character varying(255) NOT NULL
);
CREATE TABLE public.workspace_regex_permissions (
    id integer NOT NULL,
    regex character varying(255) NOT NULL,
    priority integer NOT NULL,
    user_id integer NOT NULL,
    permission character varying(255) NOT NULL
);
CREATE SEQUENCE public.workspace_regex_permissions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.workspace_regex_permissions_id_seq OWNED BY public.workspace_regex_permissions.id;
ALTER TABLE ONLY public.auth_sessions ALTER COLUMN id SET DEFAULT nextval('public.auth_sessions_id_seq'::regclass);
ALTER TABLE ONLY public.auth_state ALTER COLUMN id SET DEFAULT nextval('public.auth_state_id_seq'::regclass);
ALTER TABLE ONLY public.experiment_group_permissions ALTER COLUMN id SET DEFAULT nextval('public.experiment_group_permissions_id_seq'::regclass);
ALTER TABLE ONLY public.experiment_group_regex_permissions ALTER COLUMN id SET DEFAULT nextval('public.experiment_group_regex_permissions_id_seq'::regclass);
ALTER TABLE ONLY public.experiment_permissions ALTER COLUMN id SET DEFAULT nextval('public.experiment_permissions_id_seq'::regclass);
ALTER TABLE ONLY public.experiment_regex_permissions ALTER COLUMN id SET DEFAULT nextval('public.experiment_regex_permissions_id_seq'::regclass);
ALTER TABLE ONLY public.gateway_endpoint_group_permissions ALTER COLUMN id SET DEFAULT nextval('public.gateway_endpoint_group_permissions_id_seq'::regclass);
ALTER TABLE ONLY public.gateway_endpoint_group_regex_permissions ALTER COLUMN id SET DEFAULT nextval('public.gateway_endpoint_group_regex_permissions_id_seq'::regclass);
ALTER TABLE ONLY public.gateway_endpoint_permissions ALTER COLUMN id SET DEFAULT nextval('public.gateway_endpoint_permissions_id_seq'::regclass);
ALTER TABLE ONLY public.gateway_endpoint_regex_permissions ALTER COLUMN id SET DEFAULT nextval('public.gateway_endpoint_regex_permissions_id_seq'::regclass);
ALTER TABLE ONLY public.gateway_model_definition_group_permissions ALTER COLUMN id SET DEFAULT nextval('public.gateway_model_definition_group_permissions_id_seq'::regclass);
ALTER TABLE ONLY public.gateway_model_definition_group_regex_permissions ALTER COLUMN id SET DEFAULT nextval('public.gateway_model_definition_group_regex_permissions_id_seq'::regclass);
ALTER TABLE ONLY public.gateway_model_definition_permissions ALTER COLUMN id SET DEFAULT nextval('public.gateway_model_definition_permissions_id_seq'::regclass);
ALTER TABLE ONLY public.gateway_model_definition_regex_permissions ALTER COLUMN id SET DEFAULT nextval('public.gateway_model_definition_regex_permissions_id_seq'::regclass);
ALTER TABLE ONLY public.gateway_secret_group_permissions ALTER COLUMN id SET DEFAULT nextval('public.gateway_secret_group_permissions_id_seq'::regclass);
ALTER TABLE ONLY public.gateway_secret_group_regex_permissions ALTER COLUMN id SET DEFAULT nextval('public.gateway_secret_group_regex_permissions_id_seq'::regclass);
ALTER TABLE ONLY public.gateway_secret_permissions ALTER COLUMN id SET DEFAULT nextval('public.gateway_secret_permissions_id_seq'::regclass);
ALTER TABLE ONLY public.gateway_secret_regex_permissions ALTER COLUMN id SET DEFAULT nextval('public.gateway_secret_regex_permissions_id_seq'::regclass);
ALTER TABLE ONLY public.groups ALTER COLUMN id SET DEFAULT nextval('public.groups_id_seq'::regclass);
ALTER TABLE ONLY public.mcp_server_group_permissions ALTER COLUMN id SET DEFAULT nextval('public.mcp_server_group_permissions_id_seq'::regclass);
ALTER TABLE ONLY public.mcp_server_permissions ALTER COLUMN id SET DEFAULT nextval('public.mcp_server_permissions_id_seq'::regclass);
ALTER TABLE ONLY public.registered_model_group_permissions ALTER COLUMN id SET DEFAULT nextval('public.registered_model_group_permissions_id_seq'::regclass);
ALTER TABLE ONLY public.registered_model_group_regex_permissions ALTER COLUMN id SET DEFAULT nextval('public.registered_model_group_regex_permissions_id_seq'::regclass);
ALTER TABLE ONLY public.registered_model_permissions ALTER COLUMN id SET DEFAULT nextval('public.registered_model_permissions_id_seq'::regclass);
ALTER TABLE ONLY public.registered_model_regex_permissions ALTER COLUMN id SET DEFAULT nextval('public.registered_model_regex_permissions_id_seq'::regclass);
ALTER TABLE ONLY public.saml_assertions ALTER COLUMN id SET DEFAULT nextval('public.saml_assertions_id_seq'::regclass);
ALTER TABLE ONLY public.scim_activity ALTER COLUMN id SET DEFAULT nextval('public.scim_activity_id_seq'::regclass);
ALTER TABLE ONLY public.scim_tokens ALTER COLUMN id SET DEFAULT nextval('public.scim_tokens_id_seq'::regclass);
ALTER TABLE ONLY public.scorer_group_permissions ALTER COLUMN id SET DEFAULT nextval('public.scorer_group_permissions_id_seq'::regclass);
ALTER TABLE ONLY public.scorer_group_regex_permissions ALTER COLUMN id SET DEFAULT nextval('public.scorer_group_regex_permissions_id_seq'::regclass);
ALTER TABLE ONLY public.scorer_permissions ALTER COLUMN id SET DEFAULT nextval('public.scorer_permissions_id_seq'::regclass);
ALTER TABLE ONLY public.scorer_regex_permissions ALTER COLUMN id SET DEFAULT nextval('public.scorer_regex_permissions_id_seq'::regclass);
ALTER TABLE ONLY public.user_groups ALTER COLUMN id SET DEFAULT nextval('public.user_groups_id_seq'::regclass);
ALTER TABLE ONLY public.user_identities ALTER COLUMN id SET DEFAULT nextval('public.user_identities_id_seq'::regclass);
ALTER TABLE ONLY public.user_tokens ALTER COLUMN id SET DEFAULT nextval('public.user_tokens_id_seq'::regclass);
ALTER TABLE ONLY public.users ALTER COLUMN id SET DEFAULT nextval('public.users_id_seq'::regclass);
ALTER TABLE ONLY public.workspace_group_regex_permissions ALTER COLUMN id SET DEFAULT nextval('public.workspace_group_regex_permissions_id_seq'::regclass);
ALTER TABLE ONLY public.workspace_group_rules ALTER COLUMN id SET DEFAULT nextval('public.workspace_group_rules_id_seq'::regclass);
ALTER TABLE ONLY public.workspace_regex_permissions ALTER COLUMN id SET DEFAULT nextval('public.workspace_regex_permissions_id_seq'::regclass);
INSERT INTO public.alembic_version VALUES ('e1f2a3b4c5d6');
INSERT INTO public.experiment_group_permissions VALUES (1, '2', 1, 'READ');
INSERT INTO public.experiment_group_permissions VALUES (2, '3', 2, 'MANAGE');
INSERT INTO public.experiment_group_regex_permissions VALUES (1, '\w+-x', 5, 2, 'EDIT', '*');
INSERT INTO public.experiment_permissions VALUES (1, '1', 1, 'EDIT');
INSERT INTO public.experiment_permissions VALUES (2, '4', 1, 'NO_PERMISSIONS');
INSERT INTO public.experiment_permissions VALUES (3, '5', 1, NULL);
INSERT INTO public.experiment_permissions VALUES (4, '6', 1, 'OWNER');
INSERT INTO public.experiment_regex_permissions VALUES (1, '^ann-.*', 10, 1, 'MANAGE', '*');
INSERT INTO public.experiment_regex_permissions VALUES (2, '^(?!secret).*', 20, 1, 'READ', '*');
INSERT INTO public.gateway_endpoint_permissions VALUES (1, 'chat', 1, 'USE', 'default');
INSERT INTO public.gateway_model_definition_regex_permissions VALUES (1, '^m', 5, 1, 'USE', '*');
INSERT INTO public.gateway_secret_group_permissions VALUES (1, 'openai', 1, 'READ', 'default');
INSERT INTO public.groups VALUES (1, 'red', NULL, '2026-11-26 08:44:06', '2026-11-26 08:44:06', 'manual');
INSERT INTO public.groups VALUES (2, 'blue', NULL, '2026-11-26 08:44:06', '2026-11-26 08:44:06', 'manual');
INSERT INTO public.groups VALUES (3, 'team-x-ds', NULL, '2026-11-26 08:44:06', '2026-11-26 08:44:06', 'manual');
INSERT INTO public.mcp_server_permissions VALUES (1, 'io.example/files', 1, 'READ', 'default');
INSERT INTO public.registered_model_group_permissions VALUES (1, 'churn-eu', 1, 'READ', false, 'default');
INSERT INTO public.registered_model_group_permissions VALUES (2, 'greet', 1, 'EDIT', true, 'default');
INSERT INTO public.registered_model_group_regex_permissions VALUES (1, 'eu-.*', 10, 1, 'READ', false, '*');
INSERT INTO public.registered_model_group_regex_permissions VALUES (2, '^p', 5, 1, 'READ', true, '*');
INSERT INTO public.registered_model_permissions VALUES (1, 'churn', 1, 'MANAGE', 'default');
INSERT INTO public.registered_model_regex_permissions VALUES (1, '^g', 5, 1, 'EDIT', true, '*');
INSERT INTO public.scorer_group_permissions VALUES (1, '2', 'tone', 1, 'READ');
INSERT INTO public.scorer_permissions VALUES (1, '1', 'tone/of voice', 1, 'EDIT');
INSERT INTO public.scorer_regex_permissions VALUES (1, '^s', 5, 1, 'READ', '*');
INSERT INTO public.user_groups VALUES (1, 1, 1, 'manual');
INSERT INTO public.user_groups VALUES (2, 3, 1, 'manual');
INSERT INTO public.user_groups VALUES (3, 3, 2, 'manual');
INSERT INTO public.user_groups VALUES (4, 4, 2, 'manual');
INSERT INTO public.user_identities VALUES (1, 'default', 'subject-of-ann', 1, '2026-11-26 08:44:06', NULL);
INSERT INTO public.user_tokens VALUES (1, 1, 'laptop', '843476b6', 'pbkdf2:sha256:1000$UhkwwMLX6DplmtvZ$e908998b8fd66a9132a095ee5dc00de30a0c29adb660de60c993f357c2a91039', '2026-11-26 08:44:06.053404', 'an-admin', '2099-01-01 00:00:00', NULL);
INSERT INTO public.user_tokens VALUES (2, 4, 'laptop', '55180a8e', 'pbkdf2:sha256:1000$xOggmGSfbaI9GKNl$1d396bb4dd8815b70741262948d41332539a20aa29b9cd2b377e4f805c8fa9b4', '2026-11-26 08:44:06.106746', 'an-admin', '2099-01-01 00:00:00', NULL);
INSERT INTO public.users VALUES (1, 'ann', 'Ann', false, false, true, 'manual', NULL, '2026-11-26 08:44:06', '2026-11-26 08:44:06', NULL);
INSERT INTO public.users VALUES (2, 'bob@example.com', 'Bob@Example.Com', true, false, true, 'manual', NULL, '2026-11-26 08:44:06', '2026-11-26 08:44:06', NULL);
INSERT INTO public.users VALUES (3, 'cyd', 'Cyd', false, false, false, 'manual', NULL, '2026-11-26 08:44:06', '2026-11-26 08:44:06', NULL);
INSERT INTO public.users VALUES (4, 'job', 'Job', false, true, true, 'manual', NULL, '2026-11-26 08:44:06', '2026-11-26 08:44:06', 'internal');
INSERT INTO public.workspace_group_permissions VALUES ('team-b', 1, 'USE', NULL);
INSERT INTO public.workspace_group_permissions VALUES ('x', 3, 'EDIT', 1);
INSERT INTO public.workspace_group_rules VALUES (1, 'teams', 'team-(?P<ws>[a-z0-9]+)-ds', 'EDIT', 'enforce', true, 'an-admin', '2026-11-26 08:44:06.383662', '2026-11-26 08:44:06.383662');
INSERT INTO public.workspace_permissions VALUES ('team-a', 1, 'EDIT');
INSERT INTO public.workspace_regex_permissions VALUES (1, '^team-c', 5, 1, 'READ');
SELECT pg_catalog.setval('public.auth_sessions_id_seq', 1, false);
SELECT pg_catalog.setval('public.auth_state_id_seq', 1, false);
SELECT pg_catalog.setval('public.experiment_group_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.experiment_group_regex_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.experiment_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.experiment_regex_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.gateway_endpoint_group_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.gateway_endpoint_group_regex_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.gateway_endpoint_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.gateway_endpoint_regex_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.gateway_model_definition_group_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.gateway_model_definition_group_regex_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.gateway_model_definition_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.gateway_model_definition_regex_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.gateway_secret_group_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.gateway_secret_group_regex_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.gateway_secret_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.gateway_secret_regex_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.groups_id_seq', 1, false);
SELECT pg_catalog.setval('public.mcp_server_group_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.mcp_server_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.registered_model_group_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.registered_model_group_regex_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.registered_model_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.registered_model_regex_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.saml_assertions_id_seq', 1, false);
SELECT pg_catalog.setval('public.scim_activity_id_seq', 1, false);
SELECT pg_catalog.setval('public.scim_tokens_id_seq', 1, false);
SELECT pg_catalog.setval('public.scorer_group_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.scorer_group_regex_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.scorer_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.scorer_regex_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.user_groups_id_seq', 1, false);
SELECT pg_catalog.setval('public.user_identities_id_seq', 1, false);
SELECT pg_catalog.setval('public.user_tokens_id_seq', 1, false);
SELECT pg_catalog.setval('public.users_id_seq', 1, false);
SELECT pg_catalog.setval('public.workspace_group_regex_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.workspace_group_rules_id_seq', 1, false);
SELECT pg_catalog.setval('public.workspace_regex_permissions_id_seq', 1, false);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.auth_sessions
    ADD CONSTRAINT auth_sessions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.auth_state
    ADD CONSTRAINT auth_state_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.experiment_group_permissions
    ADD CONSTRAINT experiment_group_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.experiment_group_regex_permissions
    ADD CONSTRAINT experiment_group_regex_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.experiment_permissions
    ADD CONSTRAINT experiment_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.experiment_regex_permissions
    ADD CONSTRAINT experiment_regex_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.gateway_endpoint_group_permissions
    ADD CONSTRAINT gateway_endpoint_group_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.gateway_endpoint_group_regex_permissions
    ADD CONSTRAINT gateway_endpoint_group_regex_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.gateway_endpoint_permissions
    ADD CONSTRAINT gateway_endpoint_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.gateway_endpoint_regex_permissions
    ADD CONSTRAINT gateway_endpoint_regex_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.gateway_model_definition_group_permissions
    ADD CONSTRAINT gateway_model_definition_group_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.gateway_model_definition_group_regex_permissions
    ADD CONSTRAINT gateway_model_definition_group_regex_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.gateway_model_definition_permissions
    ADD CONSTRAINT gateway_model_definition_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.gateway_model_definition_regex_permissions
    ADD CONSTRAINT gateway_model_definition_regex_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.gateway_secret_group_permissions
    ADD CONSTRAINT gateway_secret_group_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.gateway_secret_group_regex_permissions
    ADD CONSTRAINT gateway_secret_group_regex_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.gateway_secret_permissions
    ADD CONSTRAINT gateway_secret_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.gateway_secret_regex_permissions
    ADD CONSTRAINT gateway_secret_regex_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.groups
    ADD CONSTRAINT groups_group_name_key UNIQUE (group_name);
ALTER TABLE ONLY public.groups
    ADD CONSTRAINT groups_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.mcp_server_group_permissions
    ADD CONSTRAINT mcp_server_group_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.mcp_server_permissions
    ADD CONSTRAINT mcp_server_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.workspace_group_permissions
    ADD CONSTRAINT pk_workspace_group_permissions PRIMARY KEY (workspace, group_id);
ALTER TABLE ONLY public.workspace_permissions
    ADD CONSTRAINT pk_workspace_permissions PRIMARY KEY (workspace, user_id);
ALTER TABLE ONLY public.registered_model_group_permissions
    ADD CONSTRAINT registered_model_group_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.registered_model_group_regex_permissions
    ADD CONSTRAINT registered_model_group_regex_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.registered_model_permissions
    ADD CONSTRAINT registered_model_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.registered_model_regex_permissions
    ADD CONSTRAINT registered_model_regex_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.saml_assertions
    ADD CONSTRAINT saml_assertions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.scim_activity
    ADD CONSTRAINT scim_activity_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.scim_tokens
    ADD CONSTRAINT scim_tokens_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.scorer_group_permissions
    ADD CONSTRAINT scorer_group_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.scorer_group_regex_permissions
    ADD CONSTRAINT scorer_group_regex_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.scorer_permissions
    ADD CONSTRAINT scorer_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.scorer_regex_permissions
    ADD CONSTRAINT scorer_regex_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.experiment_group_permissions
    ADD CONSTRAINT unique_experiment_group UNIQUE (experiment_id, group_id);
ALTER TABLE ONLY public.experiment_permissions
    ADD CONSTRAINT unique_experiment_user UNIQUE (experiment_id, user_id);
ALTER TABLE ONLY public.scorer_group_permissions
    ADD CONSTRAINT unique_scorer_group UNIQUE (experiment_id, scorer_name, group_id);
ALTER TABLE ONLY public.scorer_permissions
    ADD CONSTRAINT unique_scorer_user UNIQUE (experiment_id, scorer_name, user_id);
ALTER TABLE ONLY public.user_groups
    ADD CONSTRAINT unique_user_group UNIQUE (user_id, group_id);
ALTER TABLE ONLY public.gateway_endpoint_group_regex_permissions
    ADD CONSTRAINT uq_endpoint_group_regex_ws UNIQUE (regex, group_id, workspace);
ALTER TABLE ONLY public.gateway_endpoint_regex_permissions
    ADD CONSTRAINT uq_endpoint_user_regex_ws UNIQUE (regex, user_id, workspace);
ALTER TABLE ONLY public.experiment_group_regex_permissions
    ADD CONSTRAINT uq_experiment_group_regex_ws UNIQUE (regex, group_id, workspace);
ALTER TABLE ONLY public.experiment_regex_permissions
    ADD CONSTRAINT uq_experiment_user_regex_ws UNIQUE (regex, user_id, workspace);
ALTER TABLE ONLY public.gateway_endpoint_group_permissions
    ADD CONSTRAINT uq_gw_endpoint_group_perm_workspace_group UNIQUE (workspace, endpoint_id, group_id);
ALTER TABLE ONLY public.gateway_endpoint_permissions
    ADD CONSTRAINT uq_gw_endpoint_perm_workspace_user UNIQUE (workspace, endpoint_id, user_id);
ALTER TABLE ONLY public.gateway_model_definition_group_permissions
    ADD CONSTRAINT uq_gw_model_def_group_perm_workspace_group UNIQUE (workspace, model_definition_id, group_id);
ALTER TABLE ONLY public.gateway_model_definition_permissions
    ADD CONSTRAINT uq_gw_model_def_perm_workspace_user UNIQUE (workspace, model_definition_id, user_id);
ALTER TABLE ONLY public.gateway_secret_group_permissions
    ADD CONSTRAINT uq_gw_secret_group_perm_workspace_group UNIQUE (workspace, secret_id, group_id);
ALTER TABLE ONLY public.gateway_secret_permissions
    ADD CONSTRAINT uq_gw_secret_perm_workspace_user UNIQUE (workspace, secret_id, user_id);
ALTER TABLE ONLY public.mcp_server_group_permissions
    ADD CONSTRAINT uq_mcp_server_group_perm_workspace_name_group UNIQUE (workspace, name, group_id);
ALTER TABLE ONLY public.mcp_server_permissions
    ADD CONSTRAINT uq_mcp_server_perm_workspace_name_user UNIQUE (workspace, name, user_id);
ALTER TABLE ONLY public.gateway_model_definition_group_regex_permissions
    ADD CONSTRAINT uq_model_def_group_regex_ws UNIQUE (regex, group_id, workspace);
ALTER TABLE ONLY public.gateway_model_definition_regex_permissions
    ADD CONSTRAINT uq_model_def_user_regex_ws UNIQUE (regex, user_id, workspace);
ALTER TABLE ONLY public.registered_model_group_regex_permissions
    ADD CONSTRAINT uq_name_group_regex_ws UNIQUE (regex, group_id, prompt, workspace);
ALTER TABLE ONLY public.registered_model_regex_permissions
    ADD CONSTRAINT uq_name_user_regex_ws UNIQUE (regex, user_id, prompt, workspace);
ALTER TABLE ONLY public.registered_model_group_permissions
    ADD CONSTRAINT uq_rm_group_perm_workspace_name_group UNIQUE (workspace, name, group_id);
ALTER TABLE ONLY public.registered_model_permissions
    ADD CONSTRAINT uq_rm_perm_workspace_name_user UNIQUE (workspace, name, user_id);
ALTER TABLE ONLY public.scim_tokens
    ADD CONSTRAINT uq_scim_tokens_name UNIQUE (name);
ALTER TABLE ONLY public.scorer_group_regex_permissions
    ADD CONSTRAINT uq_scorer_group_regex_ws UNIQUE (regex, group_id, workspace);
ALTER TABLE ONLY public.scorer_regex_permissions
    ADD CONSTRAINT uq_scorer_user_regex_ws UNIQUE (regex, user_id, workspace);
ALTER TABLE ONLY public.gateway_secret_group_regex_permissions
    ADD CONSTRAINT uq_secret_group_regex_ws UNIQUE (regex, group_id, workspace);
ALTER TABLE ONLY public.gateway_secret_regex_permissions
    ADD CONSTRAINT uq_secret_user_regex_ws UNIQUE (regex, user_id, workspace);
ALTER TABLE ONLY public.user_identities
    ADD CONSTRAINT uq_user_identities_provider_subject UNIQUE (provider_id, subject);
ALTER TABLE ONLY public.user_tokens
    ADD CONSTRAINT uq_user_tokens_user_id_name UNIQUE (user_id, name);
ALTER TABLE ONLY public.workspace_group_rules
    ADD CONSTRAINT uq_workspace_group_rules_name UNIQUE (name);
ALTER TABLE ONLY public.workspace_group_regex_permissions
    ADD CONSTRAINT uq_workspace_regex_group UNIQUE (regex, group_id);
ALTER TABLE ONLY public.workspace_regex_permissions
    ADD CONSTRAINT uq_workspace_regex_user UNIQUE (regex, user_id);
ALTER TABLE ONLY public.user_groups
    ADD CONSTRAINT user_groups_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.user_identities
    ADD CONSTRAINT user_identities_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.user_tokens
    ADD CONSTRAINT user_tokens_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_username_key UNIQUE (username);
ALTER TABLE ONLY public.workspace_group_regex_permissions
    ADD CONSTRAINT workspace_group_regex_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.workspace_group_rules
    ADD CONSTRAINT workspace_group_rules_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.workspace_regex_permissions
    ADD CONSTRAINT workspace_regex_permissions_pkey PRIMARY KEY (id);
CREATE INDEX ix_auth_sessions_expires_at ON public.auth_sessions USING btree (expires_at);
CREATE UNIQUE INDEX ix_auth_sessions_session_id ON public.auth_sessions USING btree (session_id);
CREATE INDEX ix_auth_sessions_user_id ON public.auth_sessions USING btree (user_id);
CREATE INDEX ix_auth_state_expires_at ON public.auth_state USING btree (expires_at);
CREATE UNIQUE INDEX ix_auth_state_state ON public.auth_state USING btree (state);
CREATE UNIQUE INDEX ix_groups_external_id ON public.groups USING btree (external_id);
CREATE UNIQUE INDEX ix_saml_assertions_assertion_id ON public.saml_assertions USING btree (assertion_id);
CREATE INDEX ix_saml_assertions_not_on_or_after ON public.saml_assertions USING btree (not_on_or_after);
CREATE INDEX ix_scim_activity_at ON public.scim_activity USING btree (at);
CREATE INDEX ix_scim_activity_token_id_at ON public.scim_activity USING btree (token_id, at);
CREATE UNIQUE INDEX ix_scim_tokens_token_prefix ON public.scim_tokens USING btree (token_prefix);
CREATE INDEX ix_user_identities_user_id ON public.user_identities USING btree (user_id);
CREATE UNIQUE INDEX ix_user_tokens_token_prefix ON public.user_tokens USING btree (token_prefix);
CREATE UNIQUE INDEX ix_users_external_id ON public.users USING btree (external_id);
CREATE INDEX ix_workspace_group_permissions_rule_id ON public.workspace_group_permissions USING btree (rule_id);
ALTER TABLE ONLY public.auth_sessions
    ADD CONSTRAINT fk_auth_sessions_user_id FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.gateway_endpoint_group_permissions
    ADD CONSTRAINT fk_gateway_endpoint_group_perm_group_id FOREIGN KEY (group_id) REFERENCES public.groups(id);
ALTER TABLE ONLY public.gateway_endpoint_group_regex_permissions
    ADD CONSTRAINT fk_gateway_endpoint_group_regex_perm_group_id FOREIGN KEY (group_id) REFERENCES public.groups(id);
ALTER TABLE ONLY public.gateway_endpoint_permissions
    ADD CONSTRAINT fk_gateway_endpoint_perm_user_id FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.gateway_endpoint_regex_permissions
    ADD CONSTRAINT fk_gateway_endpoint_regex_perm_user_id FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.gateway_model_definition_group_permissions
    ADD CONSTRAINT fk_gateway_model_def_group_perm_group_id FOREIGN KEY (group_id) REFERENCES public.groups(id);
ALTER TABLE ONLY public.gateway_model_definition_group_regex_permissions
    ADD CONSTRAINT fk_gateway_model_def_group_regex_perm_group_id FOREIGN KEY (group_id) REFERENCES public.groups(id);
ALTER TABLE ONLY public.gateway_model_definition_permissions
    ADD CONSTRAINT fk_gateway_model_def_perm_user_id FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.gateway_model_definition_regex_permissions
    ADD CONSTRAINT fk_gateway_model_def_regex_perm_user_id FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.gateway_secret_group_permissions
    ADD CONSTRAINT fk_gateway_secret_group_perm_group_id FOREIGN KEY (group_id) REFERENCES public.groups(id);
ALTER TABLE ONLY public.gateway_secret_group_regex_permissions
    ADD CONSTRAINT fk_gateway_secret_group_regex_perm_group_id FOREIGN KEY (group_id) REFERENCES public.groups(id);
ALTER TABLE ONLY public.gateway_secret_permissions
    ADD CONSTRAINT fk_gateway_secret_perm_user_id FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.gateway_secret_regex_permissions
    ADD CONSTRAINT fk_gateway_secret_regex_perm_user_id FOREIGN KEY (user_id) REFERENCES public.users(id);
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
ALTER TABLE ONLY public.mcp_server_group_permissions
    ADD CONSTRAINT fk_mcp_server_group_perm_group_id FOREIGN KEY (group_id) REFERENCES public.groups(id);
ALTER TABLE ONLY public.mcp_server_permissions
    ADD CONSTRAINT fk_mcp_server_perm_user_id FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.scorer_group_permissions
    ADD CONSTRAINT fk_scorer_group_perm_group_id FOREIGN KEY (group_id) REFERENCES public.groups(id);
ALTER TABLE ONLY public.scorer_group_regex_permissions
    ADD CONSTRAINT fk_scorer_group_regex_perm_group_id FOREIGN KEY (group_id) REFERENCES public.groups(id);
ALTER TABLE ONLY public.scorer_permissions
    ADD CONSTRAINT fk_scorer_perm_user_id FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.scorer_regex_permissions
    ADD CONSTRAINT fk_scorer_regex_perm_user_id FOREIGN KEY (user_id) REFERENCES public.users(id);
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
ALTER TABLE ONLY public.user_identities
    ADD CONSTRAINT fk_user_identities_user_id FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.user_tokens
    ADD CONSTRAINT fk_user_tokens_user_id FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.workspace_group_permissions
    ADD CONSTRAINT fk_workspace_group_perm_group_id FOREIGN KEY (group_id) REFERENCES public.groups(id);
ALTER TABLE ONLY public.workspace_group_permissions
    ADD CONSTRAINT fk_workspace_group_permissions_rule_id FOREIGN KEY (rule_id) REFERENCES public.workspace_group_rules(id);
ALTER TABLE ONLY public.workspace_group_regex_permissions
    ADD CONSTRAINT fk_workspace_group_regex_perm_group_id FOREIGN KEY (group_id) REFERENCES public.groups(id);
ALTER TABLE ONLY public.workspace_permissions
    ADD CONSTRAINT fk_workspace_perm_user_id FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.workspace_regex_permissions
    ADD CONSTRAINT fk_workspace_regex_perm_user_id FOREIGN KEY (user_id) REFERENCES public.users(id);

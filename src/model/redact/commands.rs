//! Lists the programs that take a secret as an argument or from their standard input: after which
//! option, and in which form.
//!
//! `docs/redaction.md` lists the same programs, and a test compares the page with the tables.
//! `scan` reads the arguments.

/// The form in which an option takes its secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OptionForm {
    /// As a separate word, or after `=`.
    Apart,
    /// In the same word, right after the option's letter.
    Attached,
    /// In either of the two forms, [`Self::Apart`] or [`Self::Attached`].
    Either,
    /// `user:secret`.
    Pair,
    /// `user%secret`.
    Percent,
    /// `user,secret`.
    Comma,
    /// `pass:secret`.
    Pass,
    /// `name=secret`.
    Assignment,
    /// The pairs of a cookie.
    Cookie,
}

use OptionForm::{Apart, Assignment, Attached, Comma, Cookie, Either, Pair, Pass, Percent};

/// Programs with the same options, and their options that take a secret.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) names: &'static [&'static str],
    /// A word that must precede the options, such as `login`. Without it the options mean something
    /// else.
    pub(super) only_after: Option<&'static str>,
    pub(super) options: &'static [(&'static str, OptionForm)],
    /// True if `NAME value` among the arguments sets a name to a value.
    pub(super) sets: bool,
}

const fn program(
    names: &'static [&'static str],
    options: &'static [(&'static str, OptionForm)],
) -> Program {
    Program {
        names,
        only_after: None,
        options,
        sets: false,
    }
}

const fn after(
    names: &'static [&'static str],
    word: &'static str,
    options: &'static [(&'static str, OptionForm)],
) -> Program {
    Program {
        names,
        only_after: Some(word),
        options,
        sets: false,
    }
}

const fn sets(
    names: &'static [&'static str],
    word: Option<&'static str>,
    options: &'static [(&'static str, OptionForm)],
) -> Program {
    Program {
        names,
        only_after: word,
        options,
        sets: true,
    }
}

#[rustfmt::skip]
pub(super) const PROGRAMS: &[Program] = &[
    // Databases.
    program(&["mysql", "mysqldump", "mysqlimport", "mysqlcheck", "mysqlshow", "mysqlpump", "mysqlbinlog", "mysqlslap",
        "mysqlsh", "mariadb", "mariadb-dump", "mariadb-admin", "mariadb-import", "mysql_upgrade", "xtrabackup", "mariabackup", "innobackupex"],
        &[("-p", Attached)]),
    program(&["mycli", "mydumper", "myloader", "cqlsh", "cbq", "influxd", "neo4j-admin", "cypher-shell", "orientdb", "arangosh"],
        &[("-p", Either)]),
    program(&["mongo", "mongosh", "mongodump", "mongorestore", "mongoexport", "mongoimport", "mongostat", "mongotop", "mongofiles"],
        &[("-p", Either)]),
    sets(&["redis-cli", "valkey-cli", "keydb-cli", "redis-benchmark", "memtier_benchmark"], None, &[("-a", Apart)]),
    program(&["influx", "hive", "beeline", "sqlline", "impala-shell", "hdbsql", "exaplus", "couchbase-cli", "cbbackupmgr", "maxctrl",
        "elasticsearch-users", "dolt"], &[("-p", Apart), ("-t", Apart), ("-w", Apart)]),
    program(&["gsql", "nzsql"], &[("-W", Either), ("-pw", Apart)]),
    program(&["p4"], &[("-P", Either)]),
    program(&["etcdctl", "solr", "splunk", "ntfy"], &[("--user", Pair), ("-credentials", Pair), ("-auth", Pair), ("-u", Pair)]),
    program(&["sqlcmd", "bcp", "osql", "tsql", "mssql-cli", "isql-fb"], &[("-P", Either)]),
    program(&["vsql", "nodetool"], &[("-w", Either), ("-pw", Apart)]),
    program(&["ldapsearch", "ldapadd", "ldapmodify", "ldapdelete", "ldappasswd", "ldapwhoami", "ldapcompare", "ldapmodrdn", "ldapexop"],
        &[("-w", Either), ("-s", Apart), ("-a", Apart)]),
    // The web.
    program(&["curl", "curlie"], &[("-u", Pair), ("--user", Pair), ("-U", Pair), ("--proxy-user", Pair), ("-b", Cookie), ("--cookie", Cookie),
        ("--oauth2-bearer", Apart), ("--pass", Apart), ("--proxy-pass", Apart), ("--cert", Pair), ("-E", Pair), ("--proxy-cert", Pair)]),
    program(&["hurl", "grpcurl", "vegeta"], &[("-u", Pair), ("--user", Pair)]),
    program(&["hey", "wscat", "websocat", "check_http"], &[("-a", Pair), ("--auth", Pair), ("--basic-auth", Pair)]),
    program(&["ngrok", "ttyd", "gotty", "filebrowser", "miniserve", "dufs"], &[("--basic-auth", Pair), ("-c", Pair), ("--credential", Pair), ("-a", Pair),
        ("--auth", Pair)]),
    program(&["sqlmap", "nikto", "wpscan", "ffuf"], &[("--auth-cred", Pair), ("--proxy-cred", Pair), ("-id", Pair), ("--http-auth", Pair)]),
    program(&["transmission-remote"], &[("-n", Pair), ("--auth", Pair)]),
    program(&["java"], &[("-auth", Pair)]),
    program(&["http", "https", "xh", "xhs"], &[("-a", Pair), ("--auth", Pair), ("--basic-auth", Pair)]),
    program(&["wget", "wget2"], &[("--user", Pair)]),
    program(&["lftp", "ncftp"], &[("-u", Comma), ("-p", Apart)]),
    program(&["ncftpput", "ncftpget", "ncftpls"], &[("-p", Apart)]),
    program(&["yt-dlp", "youtube-dl", "gallery-dl", "instaloader", "streamlink"], &[("-p", Apart)]),
    program(&["swaks", "sendemail", "sendEmail"], &[("-ap", Apart), ("-xp", Apart)]),
    program(&["mosquitto_pub", "mosquitto_sub", "mosquitto_rr", "mqttx", "mqtt"], &[("-P", Apart), ("-pw", Apart)]),
    program(&["ab", "siege", "wrk"], &[("-A", Pair), ("-P", Pair)]),
    // Registries and containers.
    after(&["docker", "podman", "nerdctl", "buildah", "oras", "crane", "regctl", "helm", "cosign", "singularity", "apptainer", "docker.exe"],
        "login", &[("-p", Either)]),
    program(&["skopeo"], &[("-p", Either), ("--creds", Pair), ("--src-creds", Pair), ("--dest-creds", Pair)]),
    program(&["ctr"], &[("-u", Pair), ("--user", Pair)]),
    program(&["kubectl", "microk8s", "kubeseal"], &[("--from-literal", Assignment)]),
    after(&["oc", "cf", "argocd", "rancher", "ibmcloud", "bluemix", "expo"], "login", &[("-p", Either), ("--from-literal", Assignment)]),
    program(&["twine", "poetry-publish"], &[("-p", Apart)]),
    sets(&["poetry", "pdm"], Some("publish"), &[("-p", Apart)]),
    after(&["hatch"], "publish", &[("-a", Apart)]),
    after(&["uv"], "publish", &[("-t", Apart), ("-p", Apart)]),
    after(&["gem"], "push", &[("-k", Apart), ("--key", Apart)]),
    program(&["nuget", "choco", "netbird"], &[("-k", Apart), ("-p", Apart), ("-ApiKey", Apart), ("--setup-key", Apart)]),
    program(&["surge", "codecov", "codecovcli", "coveralls", "gitlab-runner", "drone"], &[("-t", Apart), ("-r", Apart)]),
    program(&["travis"], &[("-g", Apart)]),
    program(&["openai"], &[("-k", Apart), ("--value", Apart)]),
    program(&["kaggle"], &[("-v", Apart)]),
    program(&["llm"], &[("--value", Apart), ("--key", Apart)]),
    program(&["altool", "fastlane", "notarytool"], &[("-p", Apart)]),
    after(&["airflow"], "create", &[("-p", Apart)]),
    program(&["subscription-manager"], &[("--activationkey", Apart)]),
    // Clouds.
    sets(&["aws", "awslocal"], None, &[("--secret-string", Apart), ("--value", Apart), ("--secret", Apart)]),
    sets(&["az"], Some("login"), &[("-p", Apart), ("--value", Apart)]),
    sets(&["gcloud", "heroku", "fly", "flyctl", "doppler", "firebase", "supabase", "railway", "infisical", "chamber"], None, &[("--value", Apart), ("-p", Apart)]),
    program(&["vercel", "now", "netlify"], &[("-t", Apart), ("--auth", Apart)]),
    program(&["doctl"], &[("-t", Apart)]),
    after(&["gh", "hub"], "secret", &[("--body", Apart), ("-b", Either)]),
    program(&["eas", "op", "glab"], &[("--value", Apart), ("-v", Apart)]),
    program(&["sqlpackage"], &[]),
    // Settings.
    sets(&["npm"], None, &[("--_auth", Apart), ("--otp", Apart)]),
    sets(&["mysqladmin", "pdftk", "uci"], None, &[("-p", Attached)]),
    sets(&["git", "pnpm", "yarn", "bun", "pip", "pip3", "composer", "conda", "bundle", "cargo", "nmcli", "iwctl", "defaults",
        "setx", "set", "setenv", "export", "ENV", "ARG", "consul", "vault", "snap", "gsettings", "dotenv", "pulumi", "wrangler",
        "gradle", "sysctl", "crudini", "yq", "jq"], None, &[]),
    // Archives, keys and signatures.
    program(&["7z", "7za", "7zr", "7zz", "rar", "unrar"], &[("-p", Attached), ("-hp", Attached)]),
    program(&["zip", "unzip", "zipcloak", "bsdtar"], &[("-P", Either)]),
    program(&["gpg", "gpg2", "gpgsm"], &[("--passphrase", Apart)]),
    program(&["openssl"], &[("-pass", Pass), ("-passin", Pass), ("-passout", Pass), ("-k", Apart), ("-K", Apart), ("-password", Pass),
        ("-hmac", Apart), ("-srppass", Apart), ("-psk", Apart)]),
    program(&["keytool", "jarsigner", "apksigner"], &[("-storepass", Apart), ("-keypass", Apart), ("-srcstorepass", Apart),
        ("-deststorepass", Apart), ("-srckeypass", Apart), ("-destkeypass", Apart), ("-new", Apart), ("--ks-pass", Pass), ("--key-pass", Pass)]),
    program(&["bundletool"], &[("--ks-pass", Pass), ("--key-pass", Pass)]),
    program(&["osslsigncode", "signtool", "codesign", "pvk2pfx"], &[("-pass", Apart), ("/p", Apart), ("-pi", Apart), ("-po", Apart)]),
    program(&["security"], &[("-w", Apart), ("-p", Apart), ("-P", Apart), ("-k", Apart)]),
    program(&["ssh-keygen"], &[("-N", Apart), ("-P", Apart)]),
    program(&["veracrypt", "truecrypt", "steghide", "aescrypt", "pkcs11-tool", "softhsm2-util", "ykman"], &[("-p", Apart), ("-P", Apart), ("--pin", Apart),
        ("--so-pin", Apart)]),
    program(&["ccrypt", "gpg-preset-passphrase", "mcrypt"], &[("-K", Apart), ("-P", Apart), ("-k", Apart)]),
    program(&["virsh"], &[("--base64", Apart)]),
    program(&["qpdf", "pdftotext", "pdfinfo", "mutool"], &[("-upw", Apart), ("-opw", Apart), ("--password", Apart)]),
    program(&["certutil"], &[("-p", Apart), ("-W", Apart)]),
    program(&["pk12util", "certreq"], &[("-W", Apart), ("-K", Apart)]),
    // Other machines.
    program(&["sshpass"], &[("-p", Either)]),
    program(&["plink", "pscp", "psftp", "putty", "plink.exe", "pscp.exe"], &[("-pw", Apart)]),
    program(&["smbclient", "rpcclient", "smbget", "smbcacls", "smbtree", "nmblookup", "wbinfo", "winexe", "wmic"],
        &[("-U", Percent), ("--user", Percent)]),
    program(&["net"], &[("-U", Percent), ("--user", Percent)]),
    program(&["winrs"], &[("-p", Pair)]),
    program(&["schtasks"], &[("/rp", Apart), ("/p", Apart)]),
    program(&["kadmin", "kadmin.local", "kdb5_util", "ipa-getkeytab"], &[("-w", Apart), ("-pw", Apart), ("-P", Apart)]),
    program(&["vmrun"], &[("-gp", Apart), ("-vp", Apart), ("-p", Apart)]),
    program(&["sipsak", "swift"], &[("-a", Apart), ("-K", Apart)]),
    program(&["smbmap", "crackmapexec", "netexec", "nxc", "evil-winrm", "hydra", "medusa", "rdesktop", "psexec", "kerbrute", "rabbitmqadmin",
        "racadm", "govc", "ansible-cmdb", "bloodhound-python", "ldapdomaindump"], &[("-p", Either)]),
    program(&["xfreerdp", "xfreerdp3", "wfreerdp"], &[("/p", Pair)]),
    program(&["cmdkey"], &[("/pass", Pair)]),
    program(&["ipmitool"], &[("-P", Either)]),
    program(&["snmpwalk", "snmpget", "snmpset", "snmpbulkwalk", "snmpbulkget", "snmpgetnext", "snmptable", "snmptrap", "snmpinform", "snmpdf"], &[("-c", Apart), ("-A", Apart), ("-X", Apart)]),
    program(&["useradd", "usermod", "adduser"], &[("-p", Apart)]),
    program(&["sshfs", "mount", "mount.cifs"], &[]),
];

/// Programs whose secret is at a fixed position among the arguments. The rows of a program come one
/// after the other.
///
/// `_` stands for any word, `_.` for a host, `*` for a token, `**` for a password, which may be any
/// word, and two `**` for two passwords. `:` stands for `user:secret@host`, `/` for
/// `user/secret@host`, `\\r` for a typed line, and `=` for any number of `NAME=secret`.
#[rustfmt::skip]
pub(super) const PLACES: &[&[&str]] = &[
    &["vault", "login", "*"], &["vault", "operator", "unseal", "*"], &["vault", "unseal", "*"], &["vault", "kv", "put", "_", "="],
    &["vault", "kv", "patch", "_", "="], &["vault", "write", "_", "="],
    &["bao", "login", "*"], &["bao", "operator", "unseal", "*"], &["bao", "kv", "put", "_", "="], &["bao", "write", "_", "="],
    &["ngrok", "authtoken", "*"], &["ngrok", "config", "add-authtoken", "*"],
    &["cloudflared", "service", "install", "*"],
    &["snyk", "auth", "*"],
    &["wandb", "login", "*"],
    &["cargo", "login", "*"],
    &["nuget", "setapikey", "*"], &["nuget", "push", "_", "*"],
    &["travis", "encrypt", "*"],
    &["bw", "unlock", "**"], &["bw", "login", "_", "**"],
    &["twilio", "login", "_", "*"],
    &["cf", "auth", "_", "**"], &["cf", "set-env", "_", "_", "*"],
    &["poetry", "config", "pypi-token.", "*"], &["poetry", "config", "http-basic.", "_", "**"],
    &["composer", "config", "http-basic.", "_", "**"], &["composer", "config", "github-oauth.", "*"],
    &["pulumi", "config", "set", "_", "*"],
    &["rabbitmqctl", "add_user", "_", "**"], &["rabbitmqctl", "change_password", "_", "**"],
    &["rclone", "obscure", "**"],
    &["wpa_passphrase", "_", "**"],
    &["net", "user", "_", "**"], &["net", "use", "_", "/user", "**"], &["net", "use", "_", "_", "/user", "**"], &["net", "use", "_", "**"],
    &["net", "use", "_", "_", "**"],
    &["redis-cli", "auth", "**"], &["redis-cli", "AUTH", "**"],
    &["mkpasswd", "**"],
    &["minisign", "-W", "**"],
    &["htpasswd", "-b", "_", "_", "**"], &["htpasswd", "-nb", "_", "**"],
    &["heroku", "auth:token", "*"], &["heroku", "config:set", "="],
    &["doppler", "configure", "set", "token", "*"], &["doppler", "secrets", "set", "="],
    &["tailscale", "login", "*"],
    &["openssl", "passwd", "**"],
    &["pro", "attach", "*"],
    &["ua", "attach", "*"],
    &["ansible-vault", "encrypt_string", "**"],
    &["qpdf", "--encrypt", "**", "**"],
    &["isql", "_", "_", "**"],
    &["db2", "connect", "to", "_", "user", "_", "using", "**"],
    &["netlify", "env:set", "_", "*"],
    &["glab", "variable", "set", "_", "*"],
    &["vercel", "secrets", "add", "_", "*"],
    &["convex", "env", "set", "_", "*"],
    &["chamber", "write", "_", "_", "**"],
    &["bundle", "config", "set", "_.", "*"], &["bundle", "config", "_.", "*"],
    &["dotnet", "user-secrets", "set", "_", "**"],
    &["iw", "dev", "_", "connect", "_", "key", ":"],
    &["iwconfig", "_", "key", ":"],
    &["wpa_cli", "set_network", "_", "psk", "**"],
    &["networksetup", "-setairportnetwork", "_", "_", "**"],
    &["drush", "upwd", "_", "**"], &["drush", "user:password", "_", "**"],
    &["grafana-cli", "admin", "reset-admin-password", "**"],
    &["neo4j-admin", "dbms", "set-initial-password", "**"], &["neo4j-admin", "set-initial-password", "**"],
    &["mosquitto_passwd", "-b", "_", "_", "**"],
    &["mc", "alias", "set", "_", "_", "_", "**"], &["mc", "config", "host", "add", "_", "_", "_", "**"],
    &["mc", "admin", "user", "add", "_", "_", "**"],
    &["b2", "authorize-account", "_", "*"], &["b2", "account", "authorize", "_", "*"],
    &["samba-tool", "user", "add", "_", "**"], &["samba-tool", "user", "create", "_", "**"],
    &["bitcoin-cli", "walletpassphrase", "**"], &["bitcoin-cli", "encryptwallet", "**"],
    &["x11vnc", "-storepasswd", "**"],
    &["teamviewer", "passwd", "**"],
    &["impacket-secretsdump", ":"],
    &["impacket-psexec", ":"],
    &["impacket-wmiexec", ":"],
    &["impacket-smbexec", ":"],
    &["impacket-smbclient", ":"],
    &["impacket-GetUserSPNs", ":"],
    &["impacket-GetNPUsers", ":"],
    &["impacket-mssqlclient", ":"],
    &["impacket-getTGT", ":"],
    &["secretsdump.py", ":"],
    &["psexec.py", ":"],
    &["wmiexec.py", ":"],
    &["smbexec.py", ":"],
    &["atexec.py", ":"],
    &["dcomexec.py", ":"],
    &["smbclient.py", ":"],
    &["GetUserSPNs.py", ":"],
    &["GetNPUsers.py", ":"],
    &["GetADUsers.py", ":"],
    &["mssqlclient.py", ":"],
    &["getTGT.py", ":"],
    &["getST.py", ":"],
    &["lookupsid.py", ":"],
    &["addcomputer.py", ":"],
    &["reg.py", ":"],
    &["sqlplus", "/"],
    &["sqlldr", "/"],
    &["expdp", "/"],
    &["impdp", "/"],
    &["rman", "target", "/"], &["rman", "catalog", "/"],
    &["CONNECT", "/"],
    &["CONN", "/"],
    &["send", "\\r"],
    &["ConvertTo-SecureString", "**"],
    &["snmp-server", "community", "**"],
    &["rocommunity", "**"],
    &["rwcommunity", "**"],
    &["rocommunity6", "**"],
    &["rwcommunity6", "**"],
    &["crypto", "isakmp", "key", "**"],
    &["tacacs-server", "key", "**"], &["tacacs-server", "host", "_", "key", "**"],
    &["radius-server", "key", "**"], &["radius-server", "host", "_", "key", "**"],
    &["key-string", "**"],
    &["message-digest-key", "_", "md5", "**"],
    &["pptpd", "**"],
    &["l2tpd", "**"],
    &["xl2tpd", "**"],
    &["sentinel", "auth-pass", "_", "**"],
    &["SENTINEL", "SET", "_", "auth-pass", "**"],
    &["AUTH", "PLAIN", "*"], &["AUTH", "LOGIN", "*"], &["AUTH", "default", "**"],
    &["AUTHENTICATE", "PLAIN", "*"],
    &["LOGIN", "_", "**"],
    &["IDENTIFY", "*"],
    &["supabase", "secrets", "set", "="],
    &["fly", "secrets", "set", "="],
    &["flyctl", "secrets", "set", "="],
    &["infisical", "secrets", "set", "="],
    &["firebase", "functions:config:set", "="],
    &["modal", "secret", "create", "_", "="],
    &["dokku", "config:set", "_", "="],
    &["eb", "setenv", "="],
    &["scalingo", "env-set", "="],
    &["nomad", "var", "put", "_", "="],
    &["railway", "variables", "--set", "="],
    &["gigalixir", "config:set", "="],
    &["clever", "env", "set", "_", "*"],
];

/// Programs that read a secret from their standard input. The second word must be among their
/// arguments for that. The rows of a program come one after the other.
#[rustfmt::skip]
pub(super) const STDIN: &[(&str, &str)] = &[
    ("sudo", "-S"), ("su", ""), ("chpasswd", ""), ("docker", "--password-stdin"), ("podman", "--password-stdin"), ("nerdctl", "--password-stdin"),
    ("helm", "--password-stdin"), ("oras", "--password-stdin"), ("crane", "--password-stdin"), ("skopeo", "--password-stdin"),
    ("buildah", "--password-stdin"), ("regctl", "--pass-stdin"), ("pass", "insert"), ("gopass", "insert"), ("wrangler", "secret"),
    ("gcloud", "secrets"), ("gh", "secret"), ("gh", "--with-token"), ("glab", "--stdin"), ("kinit", ""), ("cryptsetup", ""), ("openssl", "stdin"),
    ("openssl", "passwd"), ("gpg", "--passphrase-fd"), ("vault", "login"), ("vault", "-"), ("fly", "secrets"), ("fly", "auth"),
    ("flyctl", "secrets"), ("vercel", "env"), ("htpasswd", "-i"), ("smbpasswd", ""), ("secret-tool", "store"), ("keyring", "set"),
    ("ansible-vault", "encrypt_string"), ("ansible-vault", "encrypt"), ("systemd-creds", "encrypt"), ("doppler", "secrets"),
    ("infisical", "secrets"), ("npx", "secret"), ("firebase", "functions:secrets:set"), ("kubeseal", ""), ("sops", ""), ("age", "-p"),
    ("vncpasswd", ""), ("mkpasswd", ""), ("argon2", ""), ("nix", "store"), ("aws", "file:///dev/stdin"), ("az", "@-"), ("op", "-"),
    ("op", "signin"), ("bw", "unlock"), ("rbw", "unlock"), ("railway", "login"), ("supabase", "secrets"), ("modal", "secret"), ("hf", "login"),
    ("huggingface-cli", "login"), ("llm", "keys"), ("expect", ""), ("ssh-add", ""), ("passwd", ""), ("openconnect", "--passwd-on-stdin"),
    ("adcli", "--stdin-password"), ("realm", "join"), ("lpass", "login"), ("keepassxc-cli", ""), ("zfs", "load-key"), ("zfs", "create"),
    ("tightvncpasswd", ""), ("vpnc", ""), ("sshpass", ""), ("rclone", "obscure"), ("geth", "account"), ("bitcoin-cli", "-stdin"),
    ("dokku", "registry:login"), ("npm", "login"), ("cargo", "login"), ("clevis", "encrypt"), ("caddy", "hash-password"), ("kpasswd", ""),
    ("kadmin", ""), ("ldappasswd", ""), ("wpa_passphrase", ""), ("gnome-keyring-daemon", "--unlock"), ("veracrypt", "--stdin"), ("ipa", ""),
    ("saslpasswd2", ""), ("netlify", "env:set"), ("heroku", "auth"), ("eas", "secret"), ("step", "password"), ("nmcli", "--ask"), ("restic", ""),
    ("borg", ""),
];

/// Functions whose secret is at a position among their arguments, from 0. Functions with a telling
/// name need no row.
#[rustfmt::skip]
pub(super) const CALLS: &[(&str, u8)] = &[
    // Users and passwords.
    ("login", 1), ("Login", 1), ("log_in", 1), ("signIn", 1), ("sign_in", 1), ("authenticate", 1), ("ftp_login", 2), ("ldap_bind", 2), ("simple_bind_s", 1),
    ("ssh2_auth_password", 2), ("imap_open", 2), ("PlainAuth", 2), ("CRAMMD5Auth", 1), ("UserPassword", 1), ("basicCredentials", 1),
    ("signInWithEmailAndPassword", 2), ("createUserWithEmailAndPassword", 2), ("create_superuser", 2), ("create_user", 2), ("createsuperuser", 2),
    ("UsernamePasswordAuthenticationToken", 1), ("PasswordAuthentication", 1), ("UsernamePasswordCredential", 1), ("Credentials.basic", 1),
    ("client_credentials", 1), ("ServerCredentials", 1), ("basicAuthentication", 1),
    // Databases.
    ("PDO", 2), ("mysqli", 2), ("mysqli_connect", 2), ("mysql_connect", 2), ("mysqli_real_connect", 3), ("oci_connect", 1), ("odbc_connect", 2), ("db2_connect", 2),
    ("ibase_connect", 2), ("getConnection", 2), ("pymysql.connect", 2), ("MySQLdb.connect", 2), ("DriverManagerDataSource", 2), ("jdbc.connect", 2),
    ("createConnection", 2), ("connect", 2), ("sp_addlogin", 1), ("sp_addlinkedsrvlogin", 4), ("db.auth", 1),
    // Signatures, hashes and ciphers.
    ("jwt.sign", 1), ("jwt.verify", 1), ("jwt.encode", 1), ("jwt.decode", 1), ("JWT.encode", 1), ("JWT.decode", 1), ("hmac.new", 0), ("hmac.New", 1), ("hmac.digest", 0),
    ("createHmac", 1), ("hash_hmac", 2), ("HMACSHA256", 0), ("HMACSHA512", 0), ("HMACSHA1", 0), ("HmacSHA256", 1), ("HmacSHA512", 1), ("HmacSHA1", 1), ("HMAC256", 0),
    ("HMAC512", 0), ("SecretKeySpec", 0), ("hmacShaKeyFor", 0), ("createCipheriv", 1), ("createDecipheriv", 1), ("createCipher", 1), ("createDecipher", 1),
    ("openssl_encrypt", 2), ("openssl_decrypt", 2), ("pbkdf2", 0), ("pbkdf2Sync", 0), ("pbkdf2_hmac", 1), ("scryptSync", 0), ("AES.encrypt", 1),
    ("AES.decrypt", 1), ("AES_ENCRYPT", 1), ("AES_DECRYPT", 1), ("pgp_sym_encrypt", 1), ("pgp_sym_decrypt", 1), ("crypt", 0), ("Fernet", 0), ("SecretBox", 0),
    ("cookieParser", 0), ("signedCookies", 0), ("itsdangerous", 0), ("URLSafeTimedSerializer", 0), ("URLSafeSerializer", 0), ("TimestampSigner", 0),
    ("hashpw", 0), ("hashSync", 0), ("compareSync", 0), ("checkpw", 0), ("bcrypt.hash", 0), ("bcrypt.compare", 0), ("argon2.hash", 0), ("argon2.verify", 1),
    ("generate_password_hash", 0), ("check_password_hash", 1), ("password_hash", 0), ("password_verify", 0), ("GenerateFromPassword", 0),
    // Wrappers, wallets and wireless networks.
    ("SecretStr", 0), ("SecretString", 0), ("SecretBytes", 0), ("bearer_auth", 0), ("bearerAuth", 0), ("Wallet", 0), ("privateKeyToAccount", 0), ("from_key", 0), ("fromSecretKey", 0),
    ("WiFi.begin", 1), ("WiFi.softAP", 1), ("WiFiMulti.addAP", 1), ("wifi.connect", 1), ("wlan.connect", 1),
];

/// Returns the position of the secret among the arguments of the function called `word`, perhaps
/// the method of an object.
pub(super) fn call(word: &[u8]) -> Option<usize> {
    let of = |name: &[u8]| known(name)?.call.map(usize::from);
    let last = word.iter().rposition(|b| *b == b'.');
    let Some(last) = last else {
        return of(word);
    };
    let (object, method) = word.split_at_checked(last)?;
    let before = object.iter().rposition(|b| *b == b'.');
    let pair = word.get(before.map_or(0, |before| before + 1)..)?;
    of(pair).or_else(|| of(method.get(1..)?))
}

/// What the tables contain about a program.
#[derive(Debug, Clone, Copy)]
pub(super) struct ProgramEntry {
    name: &'static str,
    /// The program's options, if it is one of [`PROGRAMS`].
    pub(super) program: Option<&'static Program>,
    /// The position of the secret among the arguments, if it is one of [`CALLS`].
    call: Option<u8>,
    /// Where the rows of the program are in [`STDIN`].
    stdin: (u16, u16),
    /// Where the rows of the program are in [`PLACES`].
    places: (u16, u16),
}

impl ProgramEntry {
    /// Returns whether the name is only that of a function.
    pub(super) fn is_only_call(&self) -> bool {
        self.call.is_some()
            && self.program.is_none()
            && self.stdin.0 == self.stdin.1
            && self.places.0 == self.places.1
    }

    pub(super) fn is_named(&self, name: &str) -> bool {
        self.name == name
    }

    /// Returns whether the program may read a secret from its standard input.
    pub(super) fn reads_secret(&self) -> bool {
        self.stdin.0 < self.stdin.1
    }

    /// Returns the words of which one must be among the program's arguments, for it to read a
    /// secret from its standard input.
    pub(super) fn stdin(&self) -> impl Iterator<Item = &'static str> + use<> {
        rows(STDIN, self.stdin).iter().map(|(_, needed)| *needed)
    }

    /// Returns those of [`PLACES`] that belong to the program.
    pub(super) fn places(&self) -> impl Iterator<Item = &'static &'static [&'static str]> + use<> {
        rows(PLACES, self.places).iter()
    }
}

/// Returns the rows of a table from `start` to `end`.
fn rows<T>(table: &'static [T], (start, end): (u16, u16)) -> &'static [T] {
    let rows = table.get(usize::from(start)..usize::from(end));
    rows.unwrap_or_default()
}

/// Returns `rows` with the row at `at` added, which must be the next one.
const fn with_row((start, end): (u16, u16), at: usize) -> (u16, u16) {
    if start == end {
        return (at as u16, at as u16 + 1);
    }
    assert!(end as usize == at, "the rows of a program are apart");
    (start, end + 1)
}

/// The program names of all tables, each once, in buckets for a fast search.
struct Index {
    known: [ProgramEntry; NAMES],
    starts: [u16; BUCKETS + 1],
}

/// The capacity of [`Index::known`]. A name in several tables counts several times.
const NAMES: usize = count();
const BUCKETS: usize = 1 << 9;

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn count() -> usize {
    let (mut at, mut count) = (0, PLACES.len() + STDIN.len() + CALLS.len());
    while at < PROGRAMS.len() {
        count += PROGRAMS[at].names.len();
        at += 1;
    }
    count
}

static INDEX: Index = INDEX_OF;
const INDEX_OF: Index = index();

/// Returns the bucket of a program name, by its first letter, its last letter and its length.
const fn bucket(name: &[u8]) -> usize {
    match name {
        [first, .., last] => {
            let letters = (*first as usize) << 5 ^ (*last as usize) << 2;
            (letters ^ name.len()) & (BUCKETS - 1)
        }
        _ => 0,
    }
}

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn is_equal(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}

const NONE: ProgramEntry = ProgramEntry {
    name: "",
    program: None,
    call: None,
    stdin: (0, 0),
    places: (0, 0),
};

/// Returns the program names of all tables, each once and in the order of the tables, and how many
/// there are.
#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn listed() -> ([ProgramEntry; NAMES], usize) {
    let (mut known, mut count) = ([NONE; NAMES], 0);
    let mut at = 0;
    while at < PROGRAMS.len() {
        let names = PROGRAMS[at].names;
        let mut name = 0;
        while name < names.len() {
            known[count] = ProgramEntry {
                name: names[name],
                program: Some(&PROGRAMS[at]),
                ..NONE
            };
            count += 1;
            name += 1;
        }
        at += 1;
    }
    let mut at = 0;
    while at < PLACES.len() + STDIN.len() + CALLS.len() {
        let is_place = at < PLACES.len();
        let is_stdin = !is_place && at < PLACES.len() + STDIN.len();
        let name = if is_place {
            PLACES[at][0]
        } else if is_stdin {
            STDIN[at - PLACES.len()].0
        } else {
            CALLS[at - PLACES.len() - STDIN.len()].0
        };
        let mut place = 0;
        while place < count && !is_equal(known[place].name.as_bytes(), name.as_bytes()) {
            place += 1;
        }
        if place == count {
            known[count] = ProgramEntry { name, ..NONE };
            count += 1;
        }
        if is_place {
            known[place].places = with_row(known[place].places, at);
        } else if !is_stdin {
            known[place].call = Some(CALLS[at - PLACES.len() - STDIN.len()].1);
        } else {
            known[place].stdin = with_row(known[place].stdin, at - PLACES.len());
        }
        at += 1;
    }
    (known, count)
}

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn index() -> Index {
    let (listed, count) = listed();
    let mut known = [NONE; NAMES];
    let mut starts = [0; BUCKETS + 1];
    let mut at = 0;
    while at < count {
        starts[bucket(listed[at].name.as_bytes())] += 1;
        at += 1;
    }
    // `starts` first has the end of each bucket. Each bucket is filled from its end, which leaves
    // the beginning of the bucket there.
    let (mut of, mut placed) = (0, 0);
    while of <= BUCKETS {
        placed += starts[of];
        starts[of] = placed;
        of += 1;
    }
    while at > 0 {
        at -= 1;
        let of = bucket(listed[at].name.as_bytes());
        starts[of] -= 1;
        known[starts[of] as usize] = listed[at];
    }
    Index { known, starts }
}

/// Returns the program name with index `at`, for the filter.
#[allow(clippy::indexing_slicing, reason = "the index is checked before")]
pub(super) const fn name(at: usize) -> Option<&'static [u8]> {
    if at >= INDEX_OF.starts[BUCKETS] as usize {
        return None;
    }
    Some(INDEX_OF.known[at].name.as_bytes())
}

/// Returns the entry of the program called `name`, if a table has it.
#[inline]
pub(super) fn known(name: &[u8]) -> Option<&'static ProgramEntry> {
    let bucket = bucket(name);
    let start = |bucket: usize| INDEX.starts.get(bucket).copied().map(usize::from);
    let known = INDEX.known.get(start(bucket)?..start(bucket + 1)?)?;
    known.iter().find(|known| known.name.as_bytes() == name)
}

/// The letters of curl's options without a value. One word may have several of them before an
/// option with a value.
pub(super) const CURL_FLAGS: &[u8] = b"sSkLfigGIvnNqajJlpRORBM0123460#Z";

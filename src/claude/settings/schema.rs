//! The shapes that Claude Code requires in a settings file of the user or a project. One value with
//! a wrong shape makes it ignore the **whole** file. Keys that are not in this table may have any
//! value.
//!
//! This follows version 2.1.332; `tests/realclient/settings` compares it with Claude Code itself.
//! Older versions know fewer keys and are no stricter.

use super::json::JsonValue;

/// The shape of a value.
#[derive(Debug, Clone, Copy)]
pub(super) enum ValueShape {
    Bool,
    Text,
    /// A text of at least one character.
    SomeText,
    Number {
        least: f64,
        most: f64,
        /// True if the number must be greater than `least`.
        above: bool,
        whole: bool,
    },
    OneOf(&'static [&'static str]),
    List(&'static ValueShape),
    /// An object with any keys, whose values all have the same shape.
    Map(&'static ValueShape),
    /// An object with known members: first the required ones, then the optional ones.
    Object(&'static [SchemaMember], &'static [SchemaMember]),
    Either(&'static [ValueShape]),
    /// A time of day, such as `7:30`.
    TimeOfDay,
    Any,
}

type SchemaMember = (&'static str, ValueShape);

/// The greatest whole number that Claude Code, which calculates in `f64`, can tell from the next.
const GREATEST_WHOLE: f64 = 9_007_199_254_740_991.0;

const fn whole(least: f64) -> ValueShape {
    ValueShape::Number {
        least,
        most: GREATEST_WHOLE,
        above: false,
        whole: true,
    }
}

const fn number(least: f64, most: f64) -> ValueShape {
    ValueShape::Number {
        least,
        most,
        above: false,
        whole: false,
    }
}

use ValueShape::{Any, Bool, Either, List, Map, Object, OneOf, SomeText, Text, TimeOfDay};

const TEXTS: ValueShape = List(&Text);
const ANY_NUMBER: ValueShape = number(f64::MIN, f64::MAX);
const DISABLE: ValueShape = OneOf(&["disable"]);
const SCALARS: ValueShape = Map(&Either(&[Text, ANY_NUMBER, Bool, TEXTS]));
/// The sources of plugins. Which other members an entry has depends on its `source`.
const SOURCES: ValueShape = List(&Either(&[
    Object(&[("source", OneOf(&["url", "git"])), ("url", Text)], &[]),
    Object(&[("source", OneOf(&["github"])), ("repo", Text)], &[]),
    Object(&[("source", OneOf(&["npm"])), ("package", Text)], &[]),
    Object(
        &[("source", OneOf(&["file", "directory"])), ("path", Text)],
        &[],
    ),
    Object(
        &[("source", OneOf(&["hostPattern"])), ("hostPattern", Text)],
        &[],
    ),
    Object(
        &[("source", OneOf(&["pathPattern"])), ("pathPattern", Text)],
        &[],
    ),
    Object(&[("source", OneOf(&["settings"])), ("name", Text)], &[]),
]));
const SECRET: ValueShape = Object(
    &[("mode", OneOf(&["deny", "mask"]))],
    &[("path", SomeText), ("name", SomeText)],
);
const DENIED: ValueShape = OneOf(&["deny", "passthrough"]);

/// The permission modes. `manual` is another word for `default`.
const MODES: ValueShape = OneOf(&[
    "acceptEdits",
    "auto",
    "bypassPermissions",
    "default",
    "dontAsk",
    "manual",
    "plan",
]);

const PERMISSIONS: ValueShape = Object(
    &[],
    &[
        // These may be any values, because Claude Code skips single rules that are wrong.
        ("allow", List(&Any)),
        ("deny", List(&Any)),
        ("ask", List(&Any)),
        ("defaultMode", MODES),
        ("disableBypassPermissionsMode", DISABLE),
        ("disableAutoMode", DISABLE),
        ("blockReadsOutsideWorkingDirectories", Bool),
        ("blockFileToolReadsOutsideWorkingDirectories", Bool),
        ("blockWritesOutsideWorkingDirectories", Bool),
        ("denyInsteadOfPrompting", Bool),
        ("additionalDirectories", TEXTS),
    ],
);

const SANDBOX: ValueShape = Object(
    &[],
    &[
        ("enabled", Bool),
        ("failIfUnavailable", Bool),
        ("autoAllowBashIfSandboxed", Bool),
        ("allowUnsandboxedCommands", Bool),
        ("enableWeakerNestedSandbox", Bool),
        ("allowNestedUserNamespaces", Bool),
        ("enableWeakerNetworkIsolation", Bool),
        ("allowAppleEvents", Bool),
        ("excludedCommands", TEXTS),
        ("ignoreViolations", Map(&TEXTS)),
        (
            "network",
            Object(
                &[],
                &[
                    ("allowedDomains", TEXTS),
                    ("deniedDomains", TEXTS),
                    ("strictAllowlist", Bool),
                    ("allowManagedDomainsOnly", Bool),
                    ("allowUnixSockets", TEXTS),
                    ("allowAllUnixSockets", Bool),
                    ("allowLocalBinding", Bool),
                    ("allowMachLookup", TEXTS),
                    ("httpProxyPort", ANY_NUMBER),
                    ("socksProxyPort", ANY_NUMBER),
                    (
                        "tlsTerminate",
                        Object(&[], &[("caCertPath", SomeText), ("caKeyPath", SomeText)]),
                    ),
                ],
            ),
        ),
        (
            "filesystem",
            Object(
                &[],
                &[
                    ("allowWrite", TEXTS),
                    ("denyWrite", TEXTS),
                    ("denyRead", TEXTS),
                    ("allowRead", TEXTS),
                    ("allowManagedReadPathsOnly", Bool),
                    ("disabled", Bool),
                ],
            ),
        ),
        (
            "credentials",
            Object(
                &[],
                &[
                    ("files", List(&SECRET)),
                    ("envVars", List(&SECRET)),
                    ("allowPlaintextInject", Bool),
                    (
                        "awsPairs",
                        List(&Object(
                            &[
                                ("accessKeyIdVar", SomeText),
                                ("secretAccessKeyVar", SomeText),
                            ],
                            &[("sessionTokenVar", SomeText)],
                        )),
                    ),
                    (
                        "sigv4",
                        Object(
                            &[],
                            &[
                                ("streaming", DENIED),
                                ("presigned", DENIED),
                                ("sigv4a", DENIED),
                            ],
                        ),
                    ),
                ],
            ),
        ),
        (
            "windows",
            Object(&[], &[("backend", OneOf(&["sandboxuser", "mxc"]))]),
        ),
        ("ripgrep", Object(&[("command", Text)], &[("args", TEXTS)])),
    ],
);

/// Every key whose value Claude Code checks.
const SETTINGS: &[SchemaMember] = &[
    ("$schema", Text),
    ("advisorModel", Text),
    ("agent", Text),
    ("agentPushNotifEnabled", Bool),
    ("allowAllClaudeAiMcps", Bool),
    ("allowClaudeInChromeWithManagedMcp", Bool),
    ("allowManagedHooksOnly", Bool),
    ("allowManagedMcpServersOnly", Bool),
    ("allowManagedPermissionRulesOnly", Bool),
    ("allowNestedModelAccessUnderForceLogin", Bool),
    (
        "allowedChannelPlugins",
        List(&Either(&[
            Text,
            Object(&[("marketplace", Text), ("plugin", Text)], &[]),
        ])),
    ),
    ("allowedHttpHookUrls", TEXTS),
    ("allowedMarketplaces", SOURCES),
    ("alwaysThinkingEnabled", Bool),
    ("apiKeyHelper", Text),
    (
        "attribution",
        Either(&[
            Bool,
            Object(&[], &[("commit", Text), ("pr", Text), ("sessionUrl", Bool)]),
        ]),
    ),
    ("attributionProject", Text),
    ("autoCompactEnabled", Bool),
    ("autoContinueAtUsageLimit", Bool),
    ("autoDreamEnabled", Bool),
    ("autoMemoryDirectory", Text),
    ("autoMemoryEnabled", Bool),
    (
        "autoMode",
        Object(
            &[],
            &[
                ("allow", TEXTS),
                ("soft_deny", TEXTS),
                ("hard_deny", TEXTS),
                ("environment", TEXTS),
                ("classifyAllShell", Bool),
            ],
        ),
    ),
    ("autoScrollEnabled", Bool),
    ("autoUpdatesChannel", OneOf(&["latest", "stable", "rc"])),
    ("autoUploadSessions", Bool),
    ("availableModels", TEXTS),
    ("awaySummaryEnabled", Bool),
    ("awsAuthRefresh", Text),
    ("awsCredentialExport", Text),
    ("axScreenReader", Bool),
    ("bashEditDiffEnabled", Bool),
    ("blockedMarketplaces", SOURCES),
    (
        "breakReminder",
        Object(
            &[],
            &[
                ("enabled", Bool),
                ("intervalMinutes", whole(1.0)),
                ("breakThresholdMinutes", whole(1.0)),
                ("message", Text),
            ],
        ),
    ),
    ("channelsEnabled", Bool),
    ("claudeMd", Text),
    ("claudeMdExcludes", TEXTS),
    ("clawdFileProgressEnabled", Bool),
    ("cleanupPeriodDays", whole(1.0)),
    ("companyAnnouncements", TEXTS),
    ("daemonColdStart", OneOf(&["transient", "ask"])),
    ("defaultShell", OneOf(&["bash", "powershell"])),
    ("defaultView", OneOf(&["chat", "transcript"])),
    ("desktopSessionCleanupPeriodDays", whole(0.0)),
    ("disableAgentView", Bool),
    ("disableAllHooks", Bool),
    ("disableArtifact", Bool),
    ("disableAutoMode", DISABLE),
    ("disableBundledSkills", Bool),
    ("disableClaudeAiConnectors", Bool),
    ("disableCommandPluginSources", Bool),
    ("disableDeepLinkRegistration", DISABLE),
    ("disableDirectMcpSkills", Bool),
    ("disableRemoteControl", Bool),
    ("disableReplyCheck", Bool),
    ("disableSideloadFlags", Bool),
    ("disableSkillShellExecution", Bool),
    ("disableWindowsBashCommandSplit", Bool),
    ("disableWorkflows", Bool),
    ("disabledMcpjsonServers", TEXTS),
    ("doneMeansMerged", Bool),
    ("downloadsMirrorUrl", Text),
    ("emojiCompletionEnabled", Bool),
    ("enableAllProjectMcpServers", Bool),
    ("enableArtifact", Bool),
    ("enableWorkflows", Bool),
    ("enabledMcpjsonServers", TEXTS),
    ("enabledPlugins", Map(&Either(&[TEXTS, Bool]))),
    ("enforceAvailableModels", Bool),
    // Claude Code converts the values of `env` to strings.
    ("env", Map(&Any)),
    ("fallbackModel", TEXTS),
    ("fastMode", Bool),
    ("fastModePerSessionOptIn", Bool),
    ("feedbackDrafts", OneOf(&["notify", "quiet", "off"])),
    ("feedbackSurveyRate", number(0.0, 1.0)),
    ("fileCheckpointingEnabled", Bool),
    (
        "fileSuggestion",
        Object(&[("type", OneOf(&["command"])), ("command", Text)], &[]),
    ),
    ("forceLoginOrgUUID", Either(&[Text, TEXTS])),
    ("forceRemoteSettingsRefresh", Bool),
    ("gcpAuthRefresh", Text),
    ("httpHookAllowedEnvVars", TEXTS),
    ("idleCompaction", Bool),
    ("includeCoAuthoredBy", Bool),
    ("includeGitInstructions", Bool),
    ("inputNeededNotifEnabled", Bool),
    ("isolatePeerMachines", Bool),
    ("language", Text),
    ("managedSourcesBehavior", OneOf(&["first-wins", "merge"])),
    ("minimumVersion", Text),
    ("model", Text),
    ("modelCatalogPublicKey", Text),
    ("modelCatalogUrl", Text),
    ("modelOverrides", Map(&Text)),
    ("otelHeadersHelper", Text),
    ("outputStyle", Text),
    ("parentSettingsBehavior", OneOf(&["first-wins", "merge"])),
    ("permissions", PERMISSIONS),
    ("plansDirectory", Text),
    (
        "pluginConfigs",
        Map(&Object(
            &[],
            &[("mcpServers", Map(&SCALARS)), ("options", SCALARS)],
        )),
    ),
    ("pluginSuggestionMarketplaces", TEXTS),
    ("pluginTrustMessage", Text),
    ("prUrlTemplate", Text),
    ("precomputeCompactionEnabled", Bool),
    ("prefersReducedMotion", Bool),
    ("processWrapper", Text),
    ("promptSuggestionEnabled", Bool),
    ("proxyAuthHelper", Text),
    (
        "quietHours",
        Object(
            &[],
            &[("enabled", Bool), ("start", TimeOfDay), ("end", TimeOfDay)],
        ),
    ),
    ("remote", Object(&[], &[("defaultEnvironmentId", Text)])),
    ("remoteControlAtStartup", Bool),
    (
        "remoteTools",
        Object(&[], &[("allowUnattendedServing", Bool)]),
    ),
    ("requiredMaximumVersion", Text),
    ("requiredMinimumVersion", Text),
    ("respectGitignore", Bool),
    ("respondToBashCommands", Bool),
    ("responseComparisonEnabled", Bool),
    ("sandbox", SANDBOX),
    ("showClearContextOnPlanAccept", Bool),
    ("showMessageTimestamps", Bool),
    ("showThinkingSummaries", Bool),
    ("showTurnDuration", Bool),
    (
        "skillListingBudgetFraction",
        ValueShape::Number {
            least: 0.0,
            most: 1.0,
            above: true,
            whole: false,
        },
    ),
    ("skillListingMaxDescChars", whole(1.0)),
    (
        "skillOverrides",
        Map(&OneOf(&["on", "name-only", "user-invocable-only", "off"])),
    ),
    ("skipAutoPermissionPrompt", Bool),
    ("skipDangerousModePermissionPrompt", Bool),
    ("skipWebFetchPreflight", Bool),
    ("skipWorkflowUsageWarning", Bool),
    ("spinnerTipsEnabled", Bool),
    (
        "spinnerVerbs",
        Object(
            &[("mode", OneOf(&["append", "replace"])), ("verbs", TEXTS)],
            &[],
        ),
    ),
    (
        "sshConfigs",
        List(&Object(
            &[("id", Text), ("name", Text), ("sshHost", Text)],
            &[
                ("sshPort", whole(-GREATEST_WHOLE)),
                ("sshIdentityFile", Text),
                ("startDirectory", Text),
            ],
        )),
    ),
    (
        "statusLine",
        Object(
            &[("type", OneOf(&["command"])), ("command", Text)],
            &[("padding", ANY_NUMBER), ("hideVimModeIndicator", Bool)],
        ),
    ),
    ("strictKnownMarketplaces", SOURCES),
    ("switchModelsOnFlag", Bool),
    ("syncClaudeAiPlugins", Bool),
    ("syncClaudeAiSkills", Bool),
    ("syntaxHighlightingDisabled", Bool),
    ("terminalProgressBarEnabled", Bool),
    ("terminalTitleFromRename", Bool),
    ("timeFormat", Text),
    ("timeZone", Text),
    ("todoFeatureEnabled", Bool),
    (
        "totalTokensReminder",
        OneOf(&["off", "infinite", "fixed", "countdown", "padded-countdown"]),
    ),
    ("totalTokensReminderAfterUserTurn", Bool),
    ("totalTokensReminderBudget", whole(1.0)),
    ("tui", OneOf(&["default", "fullscreen"])),
    ("useAutoModeDuringPlan", Bool),
    ("verbose", Bool),
    (
        "voice",
        Object(
            &[],
            &[
                ("enabled", Bool),
                ("mode", OneOf(&["hold", "tap"])),
                ("autoSubmit", Bool),
            ],
        ),
    ),
    ("voiceEnabled", Bool),
    ("wheelScrollAccelerationEnabled", Bool),
    ("workflowKeywordTriggerEnabled", Bool),
    (
        "workflowSizeGuideline",
        OneOf(&["unrestricted", "small", "medium", "large"]),
    ),
    (
        "worktree",
        Object(
            &[],
            &[
                ("symlinkDirectories", TEXTS),
                ("sparsePaths", TEXTS),
                ("baseRef", OneOf(&["fresh", "head"])),
            ],
        ),
    ),
    ("wslInheritsWindowsSettings", Bool),
];

/// Keys that count as absent if they are null.
const MAY_BE_NULL: [&str; 40] = [
    "allowManagedHooksOnly",
    "allowManagedMcpServersOnly",
    "allowManagedPermissionRulesOnly",
    "allowedMarketplaces",
    "autoContinueAtUsageLimit",
    "autoUploadSessions",
    "blockedMarketplaces",
    "channelsEnabled",
    "disableAgentView",
    "disableArtifact",
    "disableAutoMode",
    "disableBundledSkills",
    "disableClaudeAiConnectors",
    "disableCommandPluginSources",
    "disableDirectMcpSkills",
    "disableRemoteControl",
    "disableSideloadFlags",
    "disableSkillShellExecution",
    "disableWindowsBashCommandSplit",
    "disableWorkflows",
    "enableAllProjectMcpServers",
    "enableArtifact",
    "enableWorkflows",
    "enforceAvailableModels",
    "fastModePerSessionOptIn",
    "feedbackDrafts",
    "fileCheckpointingEnabled",
    "isolatePeerMachines",
    "remoteControlAtStartup",
    "responseComparisonEnabled",
    "skipAutoPermissionPrompt",
    "skipDangerousModePermissionPrompt",
    "skipWebFetchPreflight",
    "skipWorkflowUsageWarning",
    "strictKnownMarketplaces",
    "strictPluginOnlyCustomization",
    "syncClaudeAiPlugins",
    "syncClaudeAiSkills",
    "additionalMarketplaces",
    "useAutoModeDuringPlan",
];

/// Keys whose value may be one name instead of a list of names.
const MAY_BE_ONE: [&str; 2] = ["enabledMcpjsonServers", "disabledMcpjsonServers"];

/// Returns the path of the first value with a wrong shape, and what the value should be. Returns
/// `None` if all values are right.
pub(super) fn misfit(settings: &[(String, JsonValue)]) -> Option<(String, String)> {
    settings.iter().find_map(|(key, value)| {
        let (_, shape) = SETTINGS.iter().find(|(name, _)| name == key)?;
        if *value == JsonValue::Null && MAY_BE_NULL.contains(&key.as_str()) {
            return None;
        }
        if MAY_BE_ONE.contains(&key.as_str()) && value.as_text().is_some_and(is_name) {
            return None;
        }
        let mut path = key.clone();
        let expected = shape.misfit(value, &mut path)?;
        Some((path, expected))
    })
}

fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    !text.is_empty() && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

impl ValueShape {
    /// If `value` does not have this shape, returns what should be there, and extends `path` to the
    /// wrong part of the value.
    pub(super) fn misfit(self, value: &JsonValue, path: &mut String) -> Option<String> {
        match (self, value) {
            (Self::Any, _)
            | (Self::Bool, JsonValue::Bool(_))
            | (Self::Text, JsonValue::Text(_)) => None,
            (Self::SomeText, JsonValue::Text(text)) if !text.is_empty() => None,
            (Self::TimeOfDay, JsonValue::Text(text)) if is_time_of_day(text) => None,
            (Self::OneOf(words), JsonValue::Text(text)) if words.contains(&text.as_str()) => None,
            (
                Self::Number {
                    least,
                    most,
                    above,
                    whole,
                },
                JsonValue::Number(number),
            ) if *number >= least
                && *number <= most
                && !(above && *number <= least)
                && !(whole && number.fract() != 0.0) =>
            {
                None
            }
            (Self::List(shape), JsonValue::List(elements)) => {
                let mut elements = elements.iter().enumerate();
                elements.find_map(|(index, element)| {
                    within(path, &format!("[{index}]"), |path| {
                        shape.misfit(element, path)
                    })
                })
            }
            (Self::Map(shape), JsonValue::Object(members)) => {
                members.iter().find_map(|(key, value)| {
                    within(path, &format!(".{key}"), |path| shape.misfit(value, path))
                })
            }
            (Self::Object(required, optional), JsonValue::Object(_)) => {
                let required = required.iter().map(|member| (member, true));
                let mut all = required.chain(optional.iter().map(|member| (member, false)));
                all.find_map(|((key, shape), is_required)| {
                    let found = value.get(key);
                    if found.is_none() && !is_required {
                        return None;
                    }
                    let found = found.unwrap_or(&JsonValue::Null);
                    within(path, &format!(".{key}"), |path| shape.misfit(found, path))
                })
            }
            (Self::Either(shapes), _) => {
                let mut fits = shapes.iter();
                let fits = fits.any(|shape| shape.misfit(value, &mut path.clone()).is_none());
                (!fits).then(|| self.expected())
            }
            _ => Some(self.expected()),
        }
    }

    fn expected(self) -> String {
        match self {
            Self::Bool => "true or false".to_owned(),
            Self::Text | Self::SomeText => "a string".to_owned(),
            Self::TimeOfDay => "a time such as \"22:00\"".to_owned(),
            Self::Number {
                whole: true, least, ..
            } if least >= 0.0 => {
                format!("a whole number, {least} or more")
            }
            Self::Number { whole: true, .. } => "a whole number".to_owned(),
            Self::Number { .. } => "a number in its range".to_owned(),
            Self::OneOf([word]) => format!("\"{word}\""),
            Self::OneOf(words) => {
                let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
                format!("one of {}", words.join(", "))
            }
            Self::List(Self::Text) => "a list of strings".to_owned(),
            Self::List(_) => "a list".to_owned(),
            Self::Map(_) | Self::Object(..) => "an object".to_owned(),
            Self::Either(shapes) => {
                let shapes: Vec<String> = shapes.iter().map(|shape| shape.expected()).collect();
                shapes.join(" or ")
            }
            Self::Any => "anything".to_owned(),
        }
    }
}

/// Checks a part of a value, whose path is `path` with `step` added. Removes the step again if the
/// part is right.
fn within(
    path: &mut String,
    step: &str,
    look: impl FnOnce(&mut String) -> Option<String>,
) -> Option<String> {
    let length = path.len();
    path.push_str(step);
    let found = look(path);
    if found.is_none() {
        path.truncate(length);
    }
    found
}

fn is_time_of_day(text: &str) -> bool {
    let Some((hours, minutes)) = text.split_once(':') else {
        return false;
    };
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let below = |text: &str, limit: u8| text.parse::<u8>().is_ok_and(|number| number < limit);
    (1..=2).contains(&hours.len())
        && minutes.len() == 2
        && is_digits(hours)
        && is_digits(minutes)
        && below(hours, 24)
        && below(minutes, 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let json = JsonValue::parse(&format!("{{{text}}}")).unwrap();
        let found = misfit(json.members().unwrap());
        let found = found.map(|(path, expected)| format!("{path}: {expected}"));
        assert_eq!(found.as_deref(), expected, "{text}");
    }

    #[test]
    fn the_tables_are_in_order_and_name_nothing_twice() {
        for pair in SETTINGS.windows(2) {
            assert!(pair[0].0 < pair[1].0, "{} {}", pair[0].0, pair[1].0);
        }
    }

    #[test]
    fn what_the_client_refused_does_not_fit() {
        for (text, why) in [
            (r#""model": 4"#, "model: a string"),
            (r#""model": null"#, "model: a string"),
            (r#""model": "opus", "model": 4"#, "model: a string"),
            (
                r#""permissions": {"allow": "Bash"}"#,
                "permissions.allow: a list",
            ),
            (r#""permissions": null"#, "permissions: an object"),
            (
                r#""permissions": {"additionalDirectories": [3]}"#,
                "permissions.additionalDirectories[0]: a string",
            ),
            (
                r#""cleanupPeriodDays": "30""#,
                "cleanupPeriodDays: a whole number, 1 or more",
            ),
            (
                r#""cleanupPeriodDays": 0"#,
                "cleanupPeriodDays: a whole number, 1 or more",
            ),
            (
                r#""cleanupPeriodDays": 0.5"#,
                "cleanupPeriodDays: a whole number, 1 or more",
            ),
            (
                r#""cleanupPeriodDays": 1e300"#,
                "cleanupPeriodDays: a whole number, 1 or more",
            ),
            (r#""statusLine": "x""#, "statusLine: an object"),
            (
                r#""statusLine": {"type":"command"}"#,
                "statusLine.command: a string",
            ),
            (
                r#""disableAllHooks": "true""#,
                "disableAllHooks: true or false",
            ),
            (
                r#""disableAllHooks": null"#,
                "disableAllHooks: true or false",
            ),
            (r#""enabledPlugins": ["a@b"]"#, "enabledPlugins: an object"),
            (
                r#""enabledPlugins": {"a": "x"}"#,
                "enabledPlugins.a: a list of strings or true or false",
            ),
            (r#""env": []"#, "env: an object"),
            (
                r#""autoUpdatesChannel": "beta""#,
                "autoUpdatesChannel: one of \"latest\", \"stable\", \"rc\"",
            ),
            (
                r#""quietHours": {"start":"25:00"}"#,
                "quietHours.start: a time such as \"22:00\"",
            ),
            (
                r#""skillListingBudgetFraction": 0"#,
                "skillListingBudgetFraction: a number in its range",
            ),
            (r#""sshConfigs": [{}]"#, "sshConfigs[0].id: a string"),
            (
                r#""enabledMcpjsonServers": 3"#,
                "enabledMcpjsonServers: a list of strings",
            ),
        ] {
            check(text, Some(why));
        }
    }

    #[test]
    fn what_the_client_accepted_fits() {
        for text in [
            r#""model": 4, "model": "opus""#,
            r#""permissions": {"allow": ["bash(", 5]}"#,
            r#""permissions": {"defaultMode":"manual"}"#,
            r#""cleanupPeriodDays": 3.0"#,
            r#""cleanupPeriodDays": 1e15"#,
            r#""allowManagedHooksOnly": null"#,
            r#""env": {"A": 1, "B": null}"#,
            r#""unknownKey": 7"#,
            r#""strictPluginOnlyCustomization": "hooks""#,
            r#""viewMode": "nope""#,
            r#""attribution": true"#,
            r#""modelPicker": 3"#,
            r#""enabledMcpjsonServers": "a""#,
            r#""allowedMcpServers": 3"#,
            r#""statusLine": {"type":"command","command":"x","more":1}"#,
            r#""sandbox": {"nope": 3}"#,
            r#""theme": 3"#,
        ] {
            check(text, None);
        }
    }
}

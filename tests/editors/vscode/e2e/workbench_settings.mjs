// The user settings and key bindings of the workbench under test.

/** Settings that keep the editor quiet and its typing predictable. */
export const userSettings = {
  'workbench.startupEditor': 'none',
  'security.workspace.trust.enabled': false,
  'telemetry.telemetryLevel': 'off',
  'update.mode': 'none',
  'extensions.autoCheckUpdates': false,
  'extensions.autoUpdate': false,
  'extensions.ignoreRecommendations': true,
  'workbench.enableExperiments': false,
  'chat.disableAIFeatures': true,
  'chat.commandCenter.enabled': false,
  'workbench.tips.enabled': false,
  'workbench.layoutControl.enabled': false,
  'editor.minimap.enabled': false,
  'editor.accessibilitySupport': 'off',
  'files.autoSave': 'off',
  'git.enabled': false,
  'git.openRepositoryInParentFolders': 'never',
  'editor.quickSuggestions': { other: 'off', comments: 'off', strings: 'off' },
  'editor.suggestOnTriggerCharacters': false,
  'editor.wordBasedSuggestions': 'off',
  'editor.autoClosingBrackets': 'never',
  'editor.autoIndent': 'none',
  'editor.autoClosingQuotes': 'never',
  'typescript.disableAutomaticTypeAcquisition': true,
  'files.simpleDialog.enable': true,
  'explorer.confirmDelete': false,
  'explorer.compactFolders': false,
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'window.dialogStyle': 'custom',
  'files.hotExit': 'off',
};

/** Keys for commands that have no default key on every platform. The extension binds none of them. */
export const keybindings = [
  { key: 'f6', command: 'editor.action.inlineSuggest.trigger' },
  { key: 'f7', command: 'editor.action.inlineSuggest.showNext' },
  { key: 'f8', command: 'editor.action.inlineSuggest.acceptNextWord' },
  { key: 'f10', command: 'ondol.repeatEdit' },
  { key: 'f9', command: 'editor.action.inlineSuggest.acceptNextLine' },
];

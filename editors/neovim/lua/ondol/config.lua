--- The options of setup{}: defaults, meaning and validation.
local M = {}

---@class ondol.Options
M.defaults = {
  --- The program, which must be on PATH, and its arguments.
  cmd = { 'ondol', 'serve', '--stdio' },
  --- Whether suggestions are on when Neovim starts.
  enabled = true,
  --- Filetypes without suggestions: { markdown = false }. With ['*'] = false, only the listed filetypes have them.
  filetypes = {},
  --- A folder that contains one of these names is a repository. Files outside are completed from open buffers only.
  root_markers = { '.git', '.hg', '.svn', '.ondolignore' },
  --- 'hide': no ghost text while a completion menu is open (built-in menu, nvim-cmp, blink.cmp). 'show': both.
  menu = 'hide',
  --- Keys to map in insert mode: { accept = '<Tab>', accept_word = '<M-Right>' }; also accept_line, dismiss, next,
  --- previous, trigger. In insert and normal mode: next_edit, edit_dismiss. Two actions can have the same key.
  --- No other key is mapped. While there is nothing for it to act on, a mapped key keeps its earlier function.
  keys = {},
  --- Whether to show where an edit can be repeated.
  next_edits = true,
  --- 'auto': vim.lsp.inline_completion if available (Neovim 0.12 and newer). 'own': always this plugin's ghost text.
  display = 'auto',
  --- Milliseconds between the last key and the request. (vim.lsp.inline_completion always waits 200.)
  debounce_ms = 75,
  --- Settings of the server, named as in ondol.toml: { precision = 0.66, multi_line = true }.
  settings = {},
}

--- The names of the actions that `keys` can map.
M.actions = {
  'accept',
  'accept_word',
  'accept_line',
  'dismiss',
  'next',
  'previous',
  'trigger',
  'next_edit',
  'edit_dismiss',
}

---@type ondol.Options
M.options = vim.deepcopy(M.defaults)

local function list_of_strings(value)
  if type(value) ~= 'table' or #value == 0 then
    return false
  end
  for _, item in ipairs(value) do
    if type(item) ~= 'string' then
      return false
    end
  end
  return true
end

local function boolean_map(value)
  if type(value) ~= 'table' then
    return false
  end
  for key, item in pairs(value) do
    if type(key) ~= 'string' or type(item) ~= 'boolean' then
      return false
    end
  end
  return true
end

local function key_map(value)
  if type(value) ~= 'table' then
    return false
  end
  for key, item in pairs(value) do
    if not vim.tbl_contains(M.actions, key) or (type(item) ~= 'string' and item ~= false) then
      return false
    end
  end
  return true
end

local function of_type(name)
  return function(value)
    return type(value) == name
  end
end

local function one_of(...)
  local choices = { ... }
  return function(value)
    return vim.tbl_contains(choices, value)
  end
end

local function delay(value)
  return type(value) == 'number' and value >= 0 and value <= 5000
end

local checks = {
  cmd = { list_of_strings, 'a list of strings, the program first' },
  enabled = { of_type('boolean'), 'true or false' },
  filetypes = { boolean_map, 'a table such as { markdown = false }' },
  root_markers = { list_of_strings, 'a list of file or folder names' },
  menu = { one_of('hide', 'show'), "'hide' or 'show'" },
  keys = { key_map, 'a table of keys by ' .. table.concat(M.actions, ', ') },
  next_edits = { of_type('boolean'), 'true or false' },
  display = { one_of('auto', 'own'), "'auto' or 'own'" },
  debounce_ms = { delay, 'a number from 0 to 5000' },
  settings = { of_type('table'), 'a table' },
}

--- Applies the user's options. An invalid option keeps its default and is reported.
---@param given table|nil
---@return string[] problems one message each
function M.apply(given)
  local problems = {}
  local options = vim.deepcopy(M.defaults)
  if given ~= nil and type(given) ~= 'table' then
    given = nil
    problems[#problems + 1] = 'setup() needs a table; the defaults are used'
  end
  for name, value in pairs(given or {}) do
    local check = checks[name]
    if not check then
      local known = vim.tbl_keys(checks)
      table.sort(known)
      local all = table.concat(known, ', ')
      problems[#problems + 1] = ('unknown option %q; the options are %s'):format(tostring(name), all)
    elseif not check[1](value) then
      problems[#problems + 1] = ('option %q must be %s; the default is used'):format(name, check[2])
    else
      options[name] = vim.deepcopy(value)
    end
  end
  M.options = options
  return problems
end

return M

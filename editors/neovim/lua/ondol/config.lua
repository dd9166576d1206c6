--- The options of setup{}: their defaults, their meaning and their checks. Knows nothing of servers and buffers.
local M = {}

---@class ondol.Options
M.defaults = {
  --- The program and its arguments. Found on PATH.
  cmd = { 'ondol', 'serve', '--stdio' },
  --- Suggestions on when Neovim starts.
  enabled = true,
  --- Filetypes to leave out or, with ['*'] = false, the only ones to take: { markdown = false }.
  filetypes = {},
  --- A folder that holds one of these is a repository. A file outside of all of them is completed from the open buffers
  --- alone.
  root_markers = { '.git', '.hg', '.svn', '.ondolignore' },
  --- 'hide': no grey text while a completion menu is open (built-in menu, nvim-cmp, blink.cmp). 'show': both.
  menu = 'hide',
  --- Keys to map in insert mode: { accept = '<Tab>', accept_word = '<M-Right>' }; also accept_line, dismiss, next,
  --- previous, trigger.
  --- Nothing is mapped unless it is named here. A key does what it did before whenever no suggestion is shown.
  keys = {},
  --- 'auto': Neovim's own vim.lsp.inline_completion where there is one (0.12 and newer). 'own': always this plugin's
  --- drawing.
  display = 'auto',
  --- Milliseconds without a key before the server is asked. (Neovim's own module always waits 200.)
  debounce_ms = 75,
  --- Settings of the server, as in ondol.toml: { precision = 0.66, multi_line = true }.
  settings = {},
}

M.actions = { 'accept', 'accept_word', 'accept_line', 'dismiss', 'next', 'previous', 'trigger' }

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

local checks = {
  cmd = { list_of_strings, 'a list of strings, the program first' },
  enabled = {
    function(v)
      return type(v) == 'boolean'
    end,
    'true or false',
  },
  filetypes = { boolean_map, 'a table such as { markdown = false }' },
  root_markers = { list_of_strings, 'a list of file or folder names' },
  menu = {
    function(v)
      return v == 'hide' or v == 'show'
    end,
    "'hide' or 'show'",
  },
  keys = { key_map, 'a table of keys by ' .. table.concat(M.actions, ', ') },
  display = {
    function(v)
      return v == 'auto' or v == 'own'
    end,
    "'auto' or 'own'",
  },
  debounce_ms = {
    function(v)
      return type(v) == 'number' and v >= 0 and v <= 5000
    end,
    'a number from 0 to 5000',
  },
  settings = {
    function(v)
      return type(v) == 'table'
    end,
    'a table',
  },
}

--- Takes the user's options over the defaults. An option that is wrong keeps its default and is told.
---@param given table|nil
---@return string[] problems one sentence each
function M.apply(given)
  local problems = {}
  local options = vim.deepcopy(M.defaults)
  if given ~= nil and type(given) ~= 'table' then
    given = nil
    problems[#problems + 1] = 'setup() takes a table; the defaults are used'
  end
  for name, value in pairs(given or {}) do
    local check = checks[name]
    if not check then
      local known = vim.tbl_keys(checks)
      table.sort(known)
      local all = table.concat(known, ', ')
      problems[#problems + 1] = ('there is no option %q; the options are %s'):format(tostring(name), all)
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

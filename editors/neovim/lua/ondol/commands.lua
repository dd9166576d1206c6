--- The subcommands of :Ondol.
local client = require('ondol.client')
local config = require('ondol.config')
local install = require('ondol.install')
local log = require('ondol.log')
local reports = require('ondol.reports')
local scope = require('ondol.scope')
local requests = require('ondol.requests')
local window = require('ondol.window')
local api = vim.api
local M = {}

--- Sends a command to the server of the current buffer.
local function execute(command, arguments, done)
  local _, running = client.server(api.nvim_get_current_buf())
  if not running then
    return log.notify('no server runs for this buffer. `:Ondol status` shows the reason.', vim.log.levels.WARN)
  end
  local params = { command = command, arguments = arguments }
  requests.call(running, 'request', 'workspace/executeCommand', params, function(err, result)
    if err then
      return log.notify(('the server reported an error: %s'):format(tostring(err.message)), vim.log.levels.WARN)
    end
    done(result)
  end, 0)
end

local function switch(on)
  return function(words)
    local which = words[1] or 'all'
    if not vim.tbl_contains({ 'all', 'buffer', 'filetype' }, which) then
      return log.notify(('unknown scope %q; the scopes are all, buffer, filetype'):format(which), vim.log.levels.WARN)
    end
    local now, what = client.switch(which, on, words[2])
    log.notify((now and 'suggestions on ' or 'suggestions off ') .. what)
    if now and which ~= 'all' and not scope.enabled() then
      log.notify('suggestions are still off everywhere; `:Ondol enable` switches them on')
    end
  end
end

local function explain()
  local id = reports.last_shown()
  execute('ondol.explain', { { id = id, plain = true } }, function(result)
    local text = type(result) == 'string' and result or 'There has been no suggestion yet.'
    window.open('explain', vim.split(text, '\n', { plain = true }))
  end)
end

local function snooze(words)
  local minutes = tonumber(words[1] or 10)
  if not minutes or minutes <= 0 or minutes > 600 then
    return log.notify(':Ondol snooze takes minutes from 1 to 600', vim.log.levels.WARN)
  end
  local now = client.snooze(minutes)
  log.notify(
    now and ('no suggestions for %g minutes; `:Ondol snooze` ends it'):format(minutes) or 'suggestions are back'
  )
end

--- Lists the texts that were dismissed; the chosen one is inserted at the cursor.
local function dismissed()
  if #reports.recent == 0 then
    return log.notify('no suggestion was dismissed yet')
  end
  local options = {
    prompt = 'Insert a dismissed suggestion:',
    format_item = function(text)
      return (vim.trim(text):gsub('\n.*', ' …'))
    end,
  }
  vim.ui.select(reports.recent, options, function(text)
    if text then
      api.nvim_put(vim.split(text, '\n', { plain = true }), 'c', true, true)
    end
  end)
end

local function doctor()
  local name = config.options.cmd[1]
  local program = vim.fn.exepath(name)
  if program == '' then
    local message = ('the program `%s` was not found. Install it with `%s`.'):format(name, install.command())
    return log.notify(message, vim.log.levels.WARN)
  end
  local root = scope.root_of(0) or vim.fn.getcwd()
  local function done(result)
    local text = (result.stdout or '') .. (result.stderr or '')
    window.open('doctor', vim.split(vim.trim(text), '\n', { plain = true }))
  end
  local options = { text = true, cwd = root, timeout = 60000, env = { NO_COLOR = '1' } }
  vim.system({ program, 'doctor' }, options, vim.schedule_wrap(done))
  log.notify('checking the installation …')
end

--- The last lines of the servers' error output, from Neovim's log.
local function error_output()
  local path = vim.lsp.log and vim.lsp.log.get_filename and vim.lsp.log.get_filename() or vim.lsp.get_log_path()
  local file = io.open(path, 'r')
  if not file then
    return {}
  end
  local size = file:seek('end')
  file:seek('set', math.max(0, size - 20000))
  local found = {}
  for line in file:lines() do
    if line:find('stderr', 1, true) and line:find(vim.fs.basename(config.options.cmd[1]), 1, true) then
      vim.list_extend(found, vim.split(line:gsub('\\n', '\n'), '\n', { plain = true, trimempty = true }))
    end
  end
  file:close()
  return vim.list_slice(found, math.max(1, #found - 40)), path
end

local function show_log()
  local lines = log.lines()
  if #lines == 0 then
    lines = { 'The log is empty.' }
  end
  local errors, path = error_output()
  if #errors > 0 then
    vim.list_extend(lines, { '', 'Error output of the servers, from ' .. path .. ':' })
    vim.list_extend(lines, errors)
  end
  window.open('log', lines)
  vim.cmd('normal! G')
end

local subcommands = {
  enable = switch(true),
  disable = switch(false),
  toggle = switch(nil),
  status = function()
    window.open('status', require('ondol.status').long(api.nvim_get_current_buf()))
  end,
  index = function()
    execute('ondol.index', {}, function() end)
    log.notify('indexing …')
  end,
  explain = explain,
  snooze = snooze,
  dismissed = dismissed,
  ['repeat'] = function()
    require('ondol.repeat_edit').run()
  end,
  doctor = doctor,
  restart = function()
    client.stop(true)
    log.notify('restarting …')
  end,
  log = show_log,
}

local scoped = { enable = true, disable = true, toggle = true }

local function sorted(list)
  table.sort(list)
  return list
end

--- Runs a subcommand, `status` by default.
---@param arguments string[]
function M.run(arguments)
  if not client.running() then
    require('ondol').setup()
  end
  local word = arguments[1] or 'status'
  if not subcommands[word] then
    local known = table.concat(sorted(vim.tbl_keys(subcommands)), ', ')
    return log.notify(('unknown command `:Ondol %s`; the commands are %s'):format(word, known), vim.log.levels.WARN)
  end
  subcommands[word](vim.list_slice(arguments, 2))
end

--- Completes the command line of :Ondol.
---@param lead string
---@param line string
---@return string[]
function M.complete(lead, line)
  local before = vim.split(line:gsub('^.-Ondol!?%s+', ''):sub(1, -#lead - 1), '%s+', { trimempty = true })
  local choices = {}
  if #before == 0 then
    choices = vim.tbl_keys(subcommands)
  elseif #before == 1 and scoped[before[1]] then
    choices = { 'all', 'buffer', 'filetype' }
  elseif #before == 2 and scoped[before[1]] and before[2] == 'filetype' then
    choices = vim.fn.getcompletion('', 'filetype')
  end
  return sorted(vim.tbl_filter(function(choice)
    return choice:sub(1, #lead) == lead
  end, choices))
end

return M

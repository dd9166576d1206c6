--- The servers, one process per repository: starts, stops and restarts them, and attaches buffers to them.
local config = require('ondol.config')
local install = require('ondol.install')
local log = require('ondol.log')
local next_edit = require('ondol.next_edit')
local requests = require('ondol.requests')
local scope = require('ondol.scope')
local session = require('ondol.session')
local document_sync = require('ondol.document_sync')
local api = vim.api
local M = {}

--- The oldest supported server version.
M.oldest_server = '0.1.0'

local restart_delays = { 200, 1000, 3000 } -- milliseconds; after one more crash the server is not restarted
local crash_window = 60 -- seconds; older crashes are not counted
--- Milliseconds until a message reports that a started server does not answer.
M.start_timeout = 15000

---@class ondol.Server
---@field root string|nil the repository; nil for files outside of repositories
---@field client_id integer|nil
---@field ready boolean initialized
---@field version string|nil
---@field status table the last status that the server sent
---@field crashes integer[] times of the recent crashes
---@field gave_up boolean it is not started again automatically
---@field leaving 'stop'|'restart'|nil set while it is being stopped
---@type table<string, ondol.Server>
local servers = {}

local running = false

local function client_of(server)
  return server.client_id and vim.lsp.get_client_by_id(server.client_id) or nil
end

--- Updates status lines.
local function announce_change()
  api.nvim_exec_autocmds('User', { pattern = 'OndolStatus', modeline = false })
  vim.cmd('redrawstatus!')
end

local function on_status(_, params, context)
  for _, server in pairs(servers) do
    if server.client_id == context.client_id and type(params) == 'table' then
      if params.state ~= server.status.state or params.message ~= server.status.message then
        local name = vim.fn.fnamemodify(server.root or 'no repository', ':t')
        log.add('%s: %s, %s', name, tostring(params.state), tostring(params.message))
      end
      local ready = params.state == 'ready' and server.status.state ~= 'ready'
      server.status = params
      if ready then
        session.request_again(context.client_id)
      end
      announce_change()
    end
  end
end

local function on_next_edit_ready(_, params, context)
  local client = vim.lsp.get_client_by_id(context.client_id)
  if client then
    next_edit.on_ready(client, params)
  end
end

local function on_completion_ready(_, _, context)
  session.request_again(context.client_id)
end

local function on_log_message(_, params)
  if type(params) == 'table' then
    log.add('server: %s', tostring(params.message))
  end
end

local levels = { vim.log.levels.ERROR, vim.log.levels.WARN, vim.log.levels.INFO }

local function on_show_message(_, params)
  if type(params) == 'table' then
    log.notify((tostring(params.message):gsub('^Ondol: ', '')), levels[params.type] or vim.log.levels.INFO)
  end
end

local start

--- Handles the end of a server process.
local function on_exit(server, code, signal)
  local client_id, leaving = server.client_id, server.leaving
  server.client_id, server.ready, server.leaving, server.status = nil, false, nil, {}
  if client_id then
    session.detach_client(client_id)
  end
  if leaving ~= 'stop' and leaving ~= 'restart' then
    log.add('the server ended unexpectedly: exit code %d, signal %d', code, signal)
    local now = os.time()
    server.crashes = vim.tbl_filter(function(at)
      return now - at < crash_window
    end, server.crashes)
    table.insert(server.crashes, now)
    local delay = restart_delays[#server.crashes]
    if delay then
      vim.defer_fn(function()
        M.update_all_buffers()
      end, delay)
    else
      server.gave_up = true
      local stopped = ('the server stopped %d times in a row (exit code %d). '):format(#server.crashes, code)
      local advice =
        'It will not be restarted automatically. `:Ondol log` shows the reason, `:Ondol restart` starts it again.'
      log.notify_once('crash', stopped .. advice)
    end
  elseif leaving == 'restart' then
    M.update_all_buffers()
  end
  announce_change()
end

--- Why a server cannot be used, or nil.
local function unsupported_reason(server, result)
  local info, advice = result.serverInfo or {}, install.advice()
  server.version = info.version
  local parsed = info.version and vim.version.parse(info.version)
  if parsed and vim.version.lt(parsed, M.oldest_server) then
    return ('the server has version %s, but this plugin needs %s or newer. %s'):format(
      info.version,
      M.oldest_server,
      advice
    )
  end
  local provider = vim.tbl_get(result, 'capabilities', 'inlineCompletionProvider')
  if provider == nil or provider == false or provider == vim.NIL then
    local name = info.name or config.options.cmd[1]
    return ('%s does not support inline completion, so it is too old or not Ondol. %s'):format(name, advice)
  end
end

local function capabilities()
  local all = vim.lsp.protocol.make_client_capabilities()
  all.textDocument.inlineCompletion = all.textDocument.inlineCompletion or { dynamicRegistration = false }
  all.workspace.didChangeWatchedFiles = nil -- the server watches files itself
  return all
end

--- Removes deleted buffers from a client that has ended. Neovim 0.10 raises an error for them.
local function remove_deleted_buffers(server)
  local client = client_of(server)
  for buffer in pairs(client and client.attached_buffers or {}) do
    if not api.nvim_buf_is_valid(buffer) then
      client.attached_buffers[buffer] = nil
    end
  end
end

local function configuration(server, command)
  local root = server.root
  local folders = root and { { uri = vim.uri_from_fname(root), name = vim.fs.basename(root) } } or nil
  return {
    name = 'ondol',
    cmd = function(dispatchers)
      local exited = dispatchers.on_exit
      dispatchers.on_exit = function(code, signal)
        vim.schedule(function()
          remove_deleted_buffers(server)
        end)
        -- Neovim receives exit code 0. Otherwise it would show its own message for each crash.
        exited(0, 0)
        vim.schedule(function()
          if vim.v.exiting == vim.NIL then
            on_exit(server, code, signal)
          end
        end)
      end
      -- PYTHONPATH may name the repository. Python would run its sitecustomize.py before Ondol could prevent it.
      return document_sync.wrap(vim.lsp.rpc.start(command, dispatchers, { env = { PYTHONPATH = '' } }))
    end,
    root_dir = server.root,
    workspace_folders = folders,
    capabilities = capabilities(),
    flags = { debounce_text_changes = 0 }, -- see ondol.document_sync
    init_options = vim.tbl_extend('force', config.options.settings, {
      nextEdits = config.options.next_edits,
      completionReady = true, -- the server announces late answers only to clients that request them again
    }),
    settings = { ondol = config.options.settings },
    handlers = {
      ['ondol/status'] = on_status,
      ['ondol/nextEditReady'] = on_next_edit_ready,
      ['ondol/completionReady'] = on_completion_ready,
      ['window/logMessage'] = on_log_message,
      ['window/showMessage'] = on_show_message,
    },
    on_init = function(client, result)
      local reason = unsupported_reason(server, result)
      if reason then
        server.leaving, server.gave_up = 'stop', true
        log.notify_once('unsupported', reason)
        vim.schedule(function()
          requests.call(client, 'stop')
        end)
        return
      end
      server.ready = true
      -- `completion_fallback` is for editors without ghost text. Here it would show every suggestion twice.
      client.server_capabilities.completionProvider = nil
      log.add('started: %s %s for %s', command[1], server.version or '', server.root or 'files outside of repositories')
    end,
    on_attach = function(client, buffer)
      if server.client_id == client.id and server.ready then
        session.attach(buffer, client)
      end
    end,
  }
end

--- Attaches the buffer to its server, which is started if necessary.
start = function(server, buffer)
  local client = client_of(server)
  if not client then
    local path = vim.fn.exepath(config.options.cmd[1])
    if path == '' then
      server.gave_up = true
      local missing = 'the program `%s` was not found. Install it with `%s`, then run `:Ondol restart`.'
      log.notify_once('missing', missing:format(config.options.cmd[1], install.command()))
      return
    end
    local command = vim.list_extend({ path }, config.options.cmd, 2)
    server.status = { state = 'starting' }
    local started, id = pcall(vim.lsp.start, configuration(server, command), {
      bufnr = buffer,
      reuse_client = function()
        return false
      end,
    })
    if not started or not id then
      server.gave_up = true
      log.notify_once(
        'start',
        ('`%s` could not be started%s'):format(command[1], started and '' or ': ' .. tostring(id))
      )
      return
    end
    server.client_id = id
    vim.defer_fn(function()
      if server.client_id == id and not server.ready then
        local message = '`%s` was started but has not answered for %d seconds. `:Ondol log` may show the reason.'
        log.notify_once('silent', message:format(config.options.cmd[1], M.start_timeout / 1000))
      end
    end, M.start_timeout)
  elseif not session.attached(buffer) then
    vim.lsp.buf_attach_client(buffer, client.id)
  end
end

local function release(buffer)
  session.detach(buffer)
  for _, server in pairs(servers) do
    local client = client_of(server)
    if client and client.attached_buffers[buffer] then
      vim.lsp.buf_detach_client(buffer, client.id)
    end
  end
end

---@param buffer integer
---@return ondol.Server
local function server_of(buffer)
  local root = scope.root_of(buffer)
  local key = root or ''
  servers[key] = servers[key] or { root = root, ready = false, status = {}, crashes = {}, gave_up = false }
  return servers[key]
end

--- Attaches the buffer to its server, or detaches it if Ondol is off for it.
---@param buffer integer
function M.update_buffer(buffer)
  if not running or not api.nvim_buf_is_loaded(buffer) then
    return
  end
  if not scope.wanted(buffer) or not scope.eligible(buffer) then
    return release(buffer)
  end
  local server = server_of(buffer)
  local client = client_of(server)
  if client and client.attached_buffers[buffer] and session.attached(buffer) then
    return
  end
  release(buffer)
  if not server.gave_up and not server.leaving then
    start(server, buffer)
  end
end

--- Updates every loaded buffer.
function M.update_all_buffers()
  for _, buffer in ipairs(api.nvim_list_bufs()) do
    -- A buffer that is only listed, for example by :argadd, has no text yet.
    if api.nvim_buf_is_loaded(buffer) then
      M.update_buffer(buffer)
    end
  end
end

--- Starts to watch buffers.
function M.run()
  running = true
  scope.enable(config.options.enabled)
  local group = api.nvim_create_augroup('ondol', { clear = true })
  api.nvim_create_autocmd({ 'BufReadPost', 'BufNewFile', 'BufFilePost', 'BufWritePost', 'FileType' }, {
    group = group,
    desc = 'Ondol: attach the buffer to its server',
    callback = function(event)
      vim.schedule(function()
        M.update_buffer(event.buf)
      end)
    end,
  })
  api.nvim_create_autocmd('OptionSet', {
    group = group,
    pattern = { 'readonly', 'modifiable', 'buftype', 'binary' },
    callback = function()
      local buffer = api.nvim_get_current_buf()
      vim.schedule(function()
        M.update_buffer(buffer)
      end)
    end,
  })
  -- Neovim does this only while its own listener on the buffer exists (see ondol.document_sync).
  api.nvim_create_autocmd('BufUnload', {
    group = group,
    desc = 'Ondol: detach the buffer from its server',
    callback = function(event)
      release(event.buf)
    end,
  })
  api.nvim_create_autocmd('ColorScheme', { group = group, callback = require('ondol.ghost_text').define_colour })
  require('ondol.completion_menu').watch(group, session.menu_changed)
  next_edit.watch(group)
  vim.schedule(M.update_all_buffers)
end

--- Stops all servers and forgets their crashes. With `restart` they are started again.
---@param restart boolean
function M.stop(restart)
  log.reset()
  local waiting = false
  for key, server in pairs(servers) do
    server.crashes, server.gave_up = {}, false
    local client = client_of(server)
    if client then
      server.leaving, waiting = restart and 'restart' or 'stop', true
      requests.call(client, 'stop')
      vim.defer_fn(function()
        if server.leaving and client_of(server) == client then
          requests.call(client, 'stop', true)
        end
      end, 2000)
    else
      servers[key] = nil
    end
  end
  if restart and not waiting then
    M.update_all_buffers()
  end
end

--- Switches suggestions on or off and updates the buffers. See ondol.scope.
---@return boolean on
---@return string what
function M.switch(which, on, filetype)
  local now, what = scope.switch(which, on, filetype)
  M.update_all_buffers()
  announce_change()
  return now, what
end

--- Pauses suggestions everywhere, or ends the pause.
---@param minutes number
---@return boolean whether suggestions pause now
function M.snooze(minutes)
  local function changed()
    M.update_all_buffers()
    announce_change()
  end
  local now = scope.snooze(minutes, changed)
  changed()
  return now
end

--- Whether setup() was called.
---@return boolean
function M.running()
  return running
end

--- The server of a buffer and its client, if it runs.
---@param buffer integer
---@return ondol.Server|nil
---@return vim.lsp.Client|nil
function M.server(buffer)
  local server = servers[scope.root_of(buffer) or '']
  return server, server and client_of(server)
end

--- All servers.
---@return ondol.Server[]
function M.servers()
  return vim.tbl_values(servers)
end

return M

--- The suggestions of each attached buffer: requests them, follows the typing, shows them and reports them as shown.
local builtin = require('ondol.builtin')
local config = require('ondol.config')
local ghost_text = require('ondol.ghost_text')
local log = require('ondol.log')
local reports = require('ondol.reports')
local requests = require('ondol.requests')
local completion_menu = require('ondol.completion_menu')
local suggestion = require('ondol.suggestion')
local text = require('ondol.text')
local api = vim.api
local M = {}

local invoked, automatic = 1, 2
local cancelled, content_modified = -32800, -32801
-- Milliseconds after a key until a suggestion for it was requested. vim.lsp.inline_completion requests after 200.
local settled_after = 250

---@class ondol.Session
---@field client vim.lsp.Client
---@field buffer integer
---@field send fun(params: table, handler: function, buffer: integer): boolean, integer?
---@field display table { draw(rest, hint, item), clear() }
---@field own boolean this plugin draws and sends requests itself
---@field suggestions ondol.Suggestion[]
---@field index integer the current suggestion
---@field cycled boolean the user switched between suggestions, so the number is shown
---@field pending integer|nil id of the pending request
---@field request_count integer number of the last request
---@field dismissed integer|nil changedtick at which the user dismissed the suggestion
---@field requested_at string|nil text version and cursor of the last request
---@field visible boolean
---@field changed_at integer|nil milliseconds of the last change in insert mode
---@field reported table<any, true> ids of the items that were reported as shown
---@field timer uv.uv_timer_t|nil
---@type table<integer, ondol.Session>
local sessions = {}

local listeners = {} ---@type fun(buffer: integer)[] called when a suggestion appears or disappears
local senders = setmetatable({}, { __mode = 'k' })

--- The cursor of the current window: line from 0 and byte.
local function cursor()
  local at = api.nvim_win_get_cursor(0)
  return at[1] - 1, at[2]
end

local function inserting(buffer)
  return api.nvim_get_current_buf() == buffer and api.nvim_get_mode().mode:sub(1, 1) == 'i'
end

local function stop_timer(session)
  if session.timer then
    session.timer:stop()
    session.timer:close()
    session.timer = nil
  end
end

local function cancel(session)
  stop_timer(session)
  session.requested_at = nil
  session.request_count = session.request_count + 1
  if session.pending then
    pcall(requests.call, session.client, 'cancel_request', session.pending)
    session.pending = nil
  end
end

local function announce(buffer)
  for _, listener in ipairs(listeners) do
    listener(buffer)
  end
end

local function drop(session)
  if #session.suggestions > 0 then
    session.requested_at = nil
  end
  session.suggestions, session.index, session.cycled, session.visible = {}, 1, false, false
  session.display.clear()
  announce(session.buffer)
end

--- Draws the rest of the suggestion, or removes it if it no longer agrees with the text.
---@param buffer integer
function M.refresh(buffer)
  local session = sessions[buffer]
  if not session then
    return
  end
  if not inserting(buffer) then
    return drop(session)
  end
  local row, column = cursor()
  local current = session.suggestions[session.index]
  local rest = current and suggestion.rest(current, row, column)
  if not rest then
    return drop(session)
  end
  if config.options.menu == 'hide' and completion_menu.visible() then
    session.visible = false
    return session.display.clear()
  end
  local hint = session.cycled and (' (%d/%d)'):format(session.index, #session.suggestions) or nil
  session.display.draw(rest, hint, current.item)
  session.visible = true
  reports.shown(session, current.item)
  announce(buffer)
end

local function on_answer(buffer, session, ticket, err, result)
  if sessions[buffer] ~= session or session.request_count ~= ticket.number then
    return
  end
  session.pending = nil
  if err then
    if err.code ~= cancelled and err.code ~= content_modified then
      log.add('the server answered with an error: %s', tostring(err.message))
    end
    return
  end
  if type(result) ~= 'table' or not inserting(buffer) then
    return
  end
  local row, column = cursor()
  if api.nvim_buf_get_changedtick(buffer) ~= ticket.tick or row ~= ticket.row or column ~= ticket.column then
    return
  end
  local suggestions = {}
  for _, item in ipairs(result.items or result) do
    local one, reason = suggestion.from_item(item, buffer, row, column, ticket.line, session.client.offset_encoding)
    if one then
      suggestions[#suggestions + 1] = one
    else
      log.add('a suggestion was not shown: %s', reason)
    end
  end
  session.suggestions, session.index, session.cycled = suggestions, 1, false
  M.refresh(buffer)
  if ticket.after then
    ticket.after(session)
  end
end

--- Sends a request and cancels the earlier one for this buffer.
---@param buffer integer
---@param kind integer 1 Invoked, 2 Automatic
---@param after fun(session: ondol.Session)|nil called after the answer
local function request(buffer, kind, after)
  local session = sessions[buffer]
  if not session or not inserting(buffer) then
    return
  end
  local tick = api.nvim_buf_get_changedtick(buffer)
  local row, column = cursor()
  local requested_at = ('%d:%d:%d'):format(tick, row, column)
  if kind == automatic then
    local current = session.suggestions[session.index]
    local unwanted = session.dismissed == tick or session.requested_at == requested_at or vim.fn.reg_executing() ~= ''
    local shown = current and suggestion.rest(current, row, column)
    if unwanted or shown or (config.options.menu == 'hide' and completion_menu.visible()) then
      return
    end
  end
  cancel(session)
  session.dismissed, session.requested_at = nil, requested_at
  local line = api.nvim_get_current_line()
  local ticket = { number = session.request_count, tick = tick, row = row, column = column, line = line, after = after }
  local params = {
    textDocument = { uri = vim.uri_from_bufnr(buffer) },
    position = { line = row, character = text.units(line:sub(1, column), session.client.offset_encoding) },
    context = { triggerKind = kind },
  }
  local sent, id = session.send(params, function(err, result)
    on_answer(buffer, session, ticket, err, result)
  end, buffer)
  session.pending = sent and id or nil
end

local function request_soon(buffer)
  local session = sessions[buffer]
  if not session then
    return
  end
  stop_timer(session)
  if #session.suggestions > 0 then
    return
  end
  session.timer = vim.defer_fn(function()
    session.timer = nil
    request(buffer, automatic)
  end, config.options.debounce_ms)
end

local function own_display(buffer)
  return {
    clear = function()
      ghost_text.clear(buffer)
    end,
    draw = function(rest, hint)
      ghost_text.draw(buffer, rest, hint)
    end,
  }
end

--- The function that sends requests of a client. On 0.12 it also handles the requests of Neovim's module.
local function sender(client, own)
  if not senders[client] then
    if own then
      senders[client] = function(params, handler, buffer)
        return requests.call(client, 'request', 'textDocument/inlineCompletion', params, handler, buffer)
      end
    else
      senders[client] = builtin.intercept(client, function(buffer, kind, sink)
        local session = sessions[buffer]
        if session then
          local first = session.display.sink == nil
          session.display.sink = sink
          if first and session.visible then
            M.refresh(buffer) -- until now it was drawn without the module
          end
          request(buffer, kind)
        end
      end)
    end
  end
  return senders[client]
end

local function watch(buffer)
  local group = api.nvim_create_augroup('ondol_buffer_' .. buffer, { clear = true })
  local function on(events, callback)
    api.nvim_create_autocmd(events, { group = group, buffer = buffer, callback = callback })
  end
  on({ 'TextChangedI', 'TextChangedP', 'InsertEnter' }, function()
    if sessions[buffer] then
      sessions[buffer].changed_at = vim.uv.now()
    end
    M.refresh(buffer)
    -- Neovim's module requests only after a pause of 200 ms, which fluent typing lacks. Before its first request it
    -- can neither show nor accept an answer, so that one is waited for.
    if sessions[buffer] and (sessions[buffer].own or sessions[buffer].display.sink) then
      request_soon(buffer)
    end
  end)
  on('CursorMovedI', function()
    M.refresh(buffer)
  end)
  local function stop()
    local session = sessions[buffer]
    if session then
      cancel(session)
      drop(session)
    end
  end
  on('InsertLeave', function()
    -- i_CTRL-O leaves insert mode for one command (mode "niI") and is no refusal.
    if sessions[buffer] and api.nvim_get_mode().mode:sub(1, 2) ~= 'ni' then
      reports.dismissed(sessions[buffer])
    end
    stop()
  end)
  on('BufLeave', stop)
end

--- Sends a request again if there is no suggestion, for example when the index has become ready.
---@param client_id integer
function M.request_again(client_id)
  local buffer = api.nvim_get_current_buf()
  local session = sessions[buffer]
  if session and session.client.id == client_id and inserting(buffer) and #session.suggestions == 0 then
    session.requested_at = nil
    if session.own then
      request_soon(buffer)
    else
      builtin.trigger_request(buffer)
    end
  end
end

--- Updates the display after a completion menu was opened or closed.
function M.menu_changed()
  local buffer = api.nvim_get_current_buf()
  if sessions[buffer] and inserting(buffer) then
    M.refresh(buffer)
    request_soon(buffer)
  end
end

--- Starts to suggest in a buffer.
---@param buffer integer
---@param client vim.lsp.Client
function M.attach(buffer, client)
  M.detach(buffer)
  local own = config.options.display == 'own' or not builtin.available()
  sessions[buffer] = {
    client = client,
    buffer = buffer,
    own = own,
    send = sender(client, own),
    display = own and own_display(buffer) or builtin.display(buffer, client),
    reported = setmetatable({}, { __mode = 'k' }),
    suggestions = {},
    index = 1,
    cycled = false,
    request_count = 0,
    visible = false,
  }
  if own then
    if builtin.available() then
      vim.lsp.inline_completion.enable(false, { client_id = client.id })
    end
  else
    builtin.enable(buffer)
  end
  watch(buffer)
  -- The user may already be typing when the server becomes ready.
  if own then
    request_soon(buffer)
  else
    vim.schedule(vim.schedule_wrap(function()
      builtin.trigger_request(buffer)
    end))
  end
end

--- Stops suggesting in a buffer.
---@param buffer integer
function M.detach(buffer)
  local session = sessions[buffer]
  if not session then
    return
  end
  cancel(session)
  sessions[buffer] = nil
  pcall(api.nvim_del_augroup_by_name, 'ondol_buffer_' .. buffer)
  ghost_text.clear(buffer)
  pcall(session.display.clear)
end

--- Detaches all buffers of a client.
---@param client_id integer
---@return integer[] the buffers that were attached
function M.detach_client(client_id)
  local buffers = {}
  for buffer, session in pairs(sessions) do
    if session.client.id == client_id then
      buffers[#buffers + 1] = buffer
    end
  end
  vim.tbl_map(M.detach, buffers)
  return buffers
end

--- Whether suggestions are possible in a buffer.
---@param buffer integer
---@return boolean
function M.attached(buffer)
  return sessions[buffer] ~= nil
end

--- How suggestions are shown in a buffer.
---@param buffer integer
---@return 'builtin'|'own'|nil
function M.display_of(buffer)
  local session = sessions[buffer]
  return session and (session.own and 'own' or 'builtin') or nil
end

--- Whether a suggestion or the completion menu is visible in a buffer.
---@param buffer integer
---@return boolean
function M.suggests(buffer)
  local session = sessions[buffer]
  return session ~= nil and inserting(buffer) and (session.visible or completion_menu.visible())
end

--- Whether a suggestion may soon be visible in a buffer: it was just requested, or the user just typed.
---@param buffer integer
---@return boolean
function M.expects(buffer)
  local session = sessions[buffer]
  if not session or not inserting(buffer) then
    return false
  end
  local typing = not session.changed_at or vim.uv.now() - session.changed_at < settled_after
  return session.pending ~= nil or session.timer ~= nil or typing
end

--- Calls a function whenever a suggestion appears or disappears in a buffer.
---@param listener fun(buffer: integer)
function M.listen(listener)
  listeners[#listeners + 1] = listener
end

--- The session of a buffer.
---@param buffer integer
---@return ondol.Session|nil
function M.of(buffer)
  return sessions[buffer]
end

M.request, M.cancel, M.drop, M.cursor, M.invoked = request, cancel, drop, cursor, invoked

return M
